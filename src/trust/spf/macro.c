#include "trust/spf/macro.h"

#define DELIMITERS ".-+,/_="
#define PARTS_MAX 128U /* labels a macro is cut into; a name has no more */

/* What stands between "%{" and "}". */
struct macro {
    uint8_t letter;
    bool is_escaped; /* an upper case letter (RFC 7208 §7.3) */
    bool is_reversed;
    unsigned keep; /* parts from the right; 0: all */
    span_t delimiters;
};

static bool is_delimiter(uint8_t byte)
{
    return span_find_byte(SPAN(DELIMITERS), byte) < sizeof(DELIMITERS) - 1;
}

static bool parse_macro(span_t body, enum spf_macro_use use, struct macro *ret_macro)
{
    span_t letters = use == SPF_IN_TEXT ? SPAN("slodiphvcrt") : SPAN("slodiphv");
    if (body.len == 0 || span_find_byte(letters, ascii_lower(body.at[0])) == letters.len)
        return false;
    struct macro macro = {.letter = ascii_lower(body.at[0]), .is_escaped = body.at[0] < 'a'};
    body = span_from(body, 1);
    bool has_digits = false;
    for (; body.len > 0 && ascii_is_digit(body.at[0]); body = span_from(body, 1)) {
        has_digits = true;
        macro.keep = macro.keep > PARTS_MAX ? macro.keep : macro.keep * 10 + body.at[0] - '0';
    }
    if (has_digits && macro.keep == 0)
        return false;
    macro.is_reversed = body.len > 0 && ascii_lower(body.at[0]) == 'r';
    macro.delimiters = span_from(body, macro.is_reversed ? 1 : 0);
    for (size_t i = 0; i < macro.delimiters.len; i++)
        if (!is_delimiter(macro.delimiters.at[i]))
            return false;
    *ret_macro = macro;
    return true;
}

enum piece { PIECE_LITERAL, PIECE_ESCAPE, PIECE_MACRO, PIECE_WRONG };

/* Takes a run of literals, an escape ("%%", "%_", "%-") or a macro off a text that is not empty. */
static enum piece next_piece(span_t *rest, enum spf_macro_use use, span_t *ret_text, struct macro *ret_macro)
{
    size_t len = span_find_byte(*rest, '%');
    if (len > 0) {
        *ret_text = span_upto(*rest, len);
        *rest = span_from(*rest, len);
        return PIECE_LITERAL;
    }
    uint8_t second = rest->len > 1 ? rest->at[1] : 0;
    if (second == '{') {
        size_t end = span_find_byte(*rest, '}');
        bool good = end < rest->len && parse_macro(span_slice(*rest, 2, end - 2), use, ret_macro);
        *rest = span_from(*rest, end + 1);
        return good ? PIECE_MACRO : PIECE_WRONG;
    }
    *ret_text = second == '%' ? SPAN("%") : second == '_' ? SPAN(" ") : SPAN("%20");
    *rest = span_from(*rest, 2);
    return second == '%' || second == '_' || second == '-' ? PIECE_ESCAPE : PIECE_WRONG;
}

static bool literal_is_valid(span_t text, enum spf_macro_use use)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.at[i]) && !(use == SPF_IN_TEXT && text.at[i] == ' '))
            return false;
    return true;
}

/* "." toplabel [ "." ], where a toplabel is not all digits and has no hyphen at its ends (RFC 7208 §7.1). */
static bool ends_in_toplabel(span_t text)
{
    if (span_ends(text, SPAN(".")))
        text = span_upto(text, text.len - 1);
    size_t dot = span_find_last_byte(text, '.');
    span_t label = span_from(text, dot + 1);
    if (dot >= text.len || label.len == 0 || label.at[0] == '-' || label.at[label.len - 1] == '-')
        return false;
    bool has_other = false;
    for (size_t i = 0; i < label.len; i++) {
        bool other = ascii_is_alpha(label.at[i]) || label.at[i] == '-';
        if (!other && !ascii_is_digit(label.at[i]))
            return false;
        has_other = has_other || other;
    }
    return has_other;
}

bool spf_macro_is_valid(span_t text, enum spf_macro_use use)
{
    span_t rest = text;
    enum piece last = PIECE_WRONG;
    span_t literal = SPAN_NONE;
    struct macro macro;
    while (rest.len > 0) {
        last = next_piece(&rest, use, &literal, &macro);
        if (last == PIECE_WRONG || (last == PIECE_LITERAL && !literal_is_valid(literal, use)))
            return false;
    }
    if (use != SPF_IN_DOMAIN)
        return true;
    return text.len > 0 && (last != PIECE_LITERAL || ends_in_toplabel(literal));
}

bool spf_macro_has(span_t text, uint8_t letter)
{
    span_t literal;
    struct macro macro;
    while (text.len > 0)
        if (next_piece(&text, SPF_IN_TEXT, &literal, &macro) == PIECE_MACRO && macro.letter == letter)
            return true;
    return false;
}

/* An IPv6 address is one nibble a part (RFC 7208 §7.3). */
static void append_dotted(const struct ip *ip, struct buf *out)
{
    if (!ip->is_six) {
        ip_print(ip, out);
        return;
    }
    for (unsigned i = 0; i < 16; i++)
        (void)buf_append_format(out, "%s%X.%X", i > 0 ? "." : "", ip->bytes[i] >> 4, ip->bytes[i] & 15U);
}

static void append_value(uint8_t letter, const struct spf_macros *macros, struct buf *out)
{
    switch (letter) {
    case 's':
        (void)buf_append(out, macros->local);
        (void)buf_append_byte(out, '@');
        (void)buf_append(out, macros->origin);
        break;
    case 'l':
        (void)buf_append(out, macros->local);
        break;
    case 'o':
        (void)buf_append(out, macros->origin);
        break;
    case 'd':
        (void)buf_append(out, macros->domain);
        break;
    case 'i':
        append_dotted(macros->ip, out);
        break;
    case 'p':
        (void)buf_append(out, macros->validated.len > 0 ? macros->validated : SPAN("unknown"));
        break;
    case 'h':
        (void)buf_append(out, macros->helo);
        break;
    case 'v':
        (void)buf_append_text(out, macros->ip->is_six ? "ip6" : "in-addr");
        break;
    case 'c':
        ip_print(macros->ip, out);
        break;
    case 'r':
        (void)buf_append(out, macros->receiver.len > 0 ? macros->receiver : SPAN("unknown"));
        break;
    default:
        (void)buf_append_u64(out, macros->now);
    }
}

/* Cut at the delimiters, turned round, the last so many of it, joined with dots (RFC 7208 §7.1). */
static void append_parts(span_t value, const struct macro *macro, struct buf *out)
{
    span_t delimiters = macro->delimiters.len > 0 ? macro->delimiters : SPAN(".");
    span_t parts[PARTS_MAX];
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= value.len && count < PARTS_MAX; i++) {
        if (i < value.len && span_find_byte(delimiters, value.at[i]) == delimiters.len)
            continue;
        parts[count++] = span_slice(value, start, i - start);
        start = i + 1;
    }
    size_t kept = macro->keep == 0 || macro->keep > count ? count : macro->keep;
    for (size_t i = 0; i < kept; i++) {
        if (i > 0)
            (void)buf_append_byte(out, '.');
        (void)buf_append(out, macro->is_reversed ? parts[kept - 1 - i] : parts[count - kept + i]);
    }
}

static void append_escaped(span_t text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i]; /* unreserved: RFC 3986 §2.3 */
        if (ascii_is_alpha(byte) || ascii_is_digit(byte) || byte == '-' || byte == '.' || byte == '_' || byte == '~')
            (void)buf_append_byte(out, byte);
        else
            (void)buf_append_format(out, "%%%02X", byte);
    }
}

static void append_macro(const struct macro *macro, const struct spf_macros *macros, struct buf *out)
{
    AUTO_BUF struct buf value;
    AUTO_BUF struct buf joined;
    buf_init(&value, out->max);
    buf_init(&joined, out->max);
    append_value(macro->letter, macros, &value);
    append_parts(buf_span(&value), macro, &joined);
    int fault = buf_fault(&value) != 0 ? buf_fault(&value) : buf_fault(&joined);
    if (fault != 0)
        out->fault = fault;
    else if (macro->is_escaped)
        append_escaped(buf_span(&joined), out);
    else
        (void)buf_append(out, buf_span(&joined));
}

int spf_macro_expand(span_t text, const struct spf_macros *macros, struct buf *out)
{
    while (text.len > 0 && buf_fault(out) == 0) {
        span_t literal = SPAN_NONE;
        struct macro macro;
        if (next_piece(&text, SPF_IN_TEXT, &literal, &macro) == PIECE_MACRO)
            append_macro(&macro, macros, out);
        else
            (void)buf_append(out, literal);
    }
    return buf_fault(out);
}
