#include "proto/imap/scan.h"

#include <errno.h>
#include <string.h>

#include "mime/date.h"
#include "proto/imap/mailbox.h"

bool imap_scan_fail(struct imap_scan *scan, const char *why)
{
    scan->why = why;
    return false;
}

static bool out_of_memory(struct imap_scan *scan)
{
    scan->fault = -ENOMEM;
    return imap_scan_fail(scan, "Command too large");
}

/* By doubling: most have one or two, and some elements are large. */
void *imap_scan_grow(struct imap_scan *scan, void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    uint8_t *more = arena_alloc_array(scan->arena, count == 0 ? 1 : 2 * count, size);
    if (more == NULL) {
        (void)out_of_memory(scan);
        return NULL;
    }
    if (count > 0)
        memcpy(more, array, count * size);
    return more;
}

bool imap_scan_at_end(const struct imap_scan *scan)
{
    return scan->rest.len == 0;
}

bool imap_scan_peek(const struct imap_scan *scan, uint8_t byte)
{
    return scan->rest.len > 0 && scan->rest.at[0] == byte;
}

bool imap_scan_byte(struct imap_scan *scan, uint8_t byte)
{
    if (!imap_scan_peek(scan, byte))
        return false;
    scan->rest = span_from(scan->rest, 1);
    return true;
}

bool imap_scan_space(struct imap_scan *scan)
{
    if (!imap_scan_byte(scan, ' '))
        return imap_scan_fail(scan, "Missing argument or space");
    while (imap_scan_byte(scan, ' '))
        ;
    return true;
}

bool imap_scan_end(struct imap_scan *scan)
{
    while (imap_scan_byte(scan, ' '))
        ;
    return imap_scan_at_end(scan) || imap_scan_fail(scan, "Unexpected text after the command");
}

/* RFC 3501 §9: atom-specials. */
static bool is_atom_byte(uint8_t byte)
{
    if (byte <= 0x20 || byte >= 0x7f)
        return false;
    return byte != '(' && byte != ')' && byte != '{' && byte != '%' && byte != '*' && byte != '"' && byte != '\\' &&
           byte != ']';
}

/* ASTRING-CHAR has "]" too; 8-bit bytes are forgiven in mailbox names and the like. */
static bool is_astring_byte(uint8_t byte)
{
    return is_atom_byte(byte) || byte == ']' || byte >= 0x80;
}

bool imap_scan_word(struct imap_scan *scan, const char *word)
{
    span_t wanted = span_of_text(word);
    if (!span_starts_nocase(scan->rest, wanted))
        return false;
    span_t after = span_from(scan->rest, wanted.len);
    if (after.len > 0 && is_atom_byte(after.at[0]) && after.at[0] != '[')
        return false;
    scan->rest = after;
    return true;
}

static span_t take_while(struct imap_scan *scan, bool (*is_fit)(uint8_t byte))
{
    size_t len = 0;
    while (len < scan->rest.len && is_fit(scan->rest.at[len]))
        len++;
    span_t taken = span_upto(scan->rest, len);
    scan->rest = span_from(scan->rest, len);
    return taken;
}

bool imap_scan_atom(struct imap_scan *scan, span_t *ret_atom)
{
    span_t atom = take_while(scan, is_atom_byte);
    if (atom.len == 0)
        return imap_scan_fail(scan, "Expected an atom");
    *ret_atom = atom;
    return true;
}

/* RFC 3501 §9: quoted. Its escapes are undone into the arena where there are any. */
static bool scan_quoted(struct imap_scan *scan, span_t *ret_bytes)
{
    span_t rest = span_from(scan->rest, 1);
    size_t end = 0;
    size_t escapes = 0;
    while (end < rest.len && rest.at[end] != '"') {
        if (rest.at[end] == '\r' || rest.at[end] == '\n' || rest.at[end] == 0)
            return imap_scan_fail(scan, "Bad byte in a quoted string");
        if (rest.at[end] == '\\') {
            escapes++;
            end++;
        }
        end++;
    }
    if (end >= rest.len)
        return imap_scan_fail(scan, "Quoted string without end");
    span_t inside = span_upto(rest, end);
    scan->rest = span_from(rest, end + 1);
    if (escapes == 0) {
        *ret_bytes = inside;
        return true;
    }
    uint8_t *plain = arena_alloc(scan->arena, inside.len);
    if (plain == NULL)
        return out_of_memory(scan);
    size_t len = 0;
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.at[i] == '\\')
            i++;
        plain[len++] = inside.at[i];
    }
    *ret_bytes = span_of(plain, len);
    return true;
}

bool imap_scan_literal(struct imap_scan *scan, span_t *ret_bytes)
{
    span_t rest = scan->rest;
    if (rest.len == 0 || rest.at[0] != '{')
        return imap_scan_fail(scan, "Expected a literal");
    size_t close = span_find_byte(span_upto(rest, 24), '}');
    span_t digits = span_slice(rest, 1, close - 1);
    if (digits.len > 0 && digits.at[digits.len - 1] == '+')
        digits.len--;
    uint64_t len = 0;
    if (close >= rest.len || close > 23 || span_to_u64(digits, SIZE_MAX / 2, &len) < 0)
        return imap_scan_fail(scan, "Bad literal");
    rest = span_from(rest, close + 1);
    if (rest.len > 0 && rest.at[0] == '\r')
        rest = span_from(rest, 1);
    if (rest.len == 0 || rest.at[0] != '\n' || rest.len - 1 < len)
        return imap_scan_fail(scan, "Bad literal");
    *ret_bytes = span_slice(rest, 1, (size_t)len);
    scan->rest = span_from(rest, 1 + (size_t)len);
    return true;
}

bool imap_scan_literal8(struct imap_scan *scan, span_t *ret_bytes)
{
    (void)imap_scan_byte(scan, '~');
    return imap_scan_literal(scan, ret_bytes);
}

bool imap_scan_string(struct imap_scan *scan, span_t *ret_bytes)
{
    if (imap_scan_peek(scan, '"'))
        return scan_quoted(scan, ret_bytes);
    if (imap_scan_peek(scan, '{'))
        return imap_scan_literal(scan, ret_bytes);
    return imap_scan_fail(scan, "Expected a string");
}

bool imap_scan_nstring(struct imap_scan *scan, span_t *ret_bytes)
{
    if (!imap_scan_word(scan, "NIL"))
        return imap_scan_string(scan, ret_bytes);
    *ret_bytes = SPAN_NONE;
    return true;
}

bool imap_scan_astring(struct imap_scan *scan, span_t *ret_bytes)
{
    if (imap_scan_peek(scan, '"') || imap_scan_peek(scan, '{'))
        return imap_scan_string(scan, ret_bytes);
    span_t atom = take_while(scan, is_astring_byte);
    if (atom.len == 0)
        return imap_scan_fail(scan, "Expected an atom or a string");
    *ret_bytes = atom;
    return true;
}

static bool decode_name(struct imap_scan *scan, span_t wire, span_t *ret_utf8)
{
    int result = scan->utf8 ? imap_mailbox_decode_utf8(wire, scan->arena, ret_utf8)
                            : imap_mailbox_decode(wire, scan->arena, ret_utf8);
    if (result == -ENOMEM)
        return out_of_memory(scan);
    return result == 0 || imap_scan_fail(scan, scan->utf8 ? "Mailbox name is not valid UTF-8"
                                                          : "Mailbox name is not valid modified UTF-7");
}

bool imap_scan_mailbox(struct imap_scan *scan, span_t *ret_utf8)
{
    span_t wire = SPAN_NONE;
    return imap_scan_astring(scan, &wire) && decode_name(scan, wire, ret_utf8);
}

/* RFC 3501 §9: list-char is ATOM-CHAR, list-wildcards and "]". */
static bool is_list_byte(uint8_t byte)
{
    return is_astring_byte(byte) || byte == '*' || byte == '%';
}

bool imap_scan_list_mailbox(struct imap_scan *scan, span_t *ret_utf8)
{
    span_t wire = SPAN_NONE;
    if (imap_scan_peek(scan, '"') || imap_scan_peek(scan, '{')) {
        if (!imap_scan_string(scan, &wire))
            return false;
    } else {
        wire = take_while(scan, is_list_byte);
        if (wire.len == 0)
            return imap_scan_fail(scan, "Expected a mailbox pattern");
    }
    return decode_name(scan, wire, ret_utf8);
}

bool imap_scan_number(struct imap_scan *scan, uint64_t max, uint64_t *ret_number)
{
    span_t digits = take_while(scan, ascii_is_digit);
    if (digits.len > 0 && digits.len <= 20 && span_to_u64(digits, max, ret_number) == 0)
        return true;
    return imap_scan_fail(scan, "Expected a number");
}

bool imap_scan_set(struct imap_scan *scan, struct imap_set *ret_set)
{
    int result = imap_set_parse(&scan->rest, scan->arena, ret_set);
    if (result == -ENOMEM)
        return out_of_memory(scan);
    if (result == -E2BIG)
        return imap_scan_fail(scan, "Too many ranges in the set");
    return result == 0 || imap_scan_fail(scan, "Bad message set");
}

static bool scan_digits(struct imap_scan *scan, size_t count, int64_t *ret_value)
{
    uint64_t value = 0;
    if (scan->rest.len < count || span_to_u64(span_upto(scan->rest, count), 9999, &value) < 0)
        return imap_scan_fail(scan, "Bad date");
    scan->rest = span_from(scan->rest, count);
    *ret_value = (int64_t)value;
    return true;
}

static bool scan_month(struct imap_scan *scan, int64_t *ret_month)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int64_t month = 0; month < 12; month++) {
        if (!span_starts_nocase(scan->rest, span_of(months + 3 * month, 3)))
            continue;
        scan->rest = span_from(scan->rest, 3);
        *ret_month = month + 1;
        return true;
    }
    return imap_scan_fail(scan, "Bad month in a date");
}

static bool scan_day_month_year(struct imap_scan *scan, int64_t day, int64_t *ret_day)
{
    static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t month = 0;
    int64_t year = 0;
    if (!imap_scan_byte(scan, '-') || !scan_month(scan, &month) || !imap_scan_byte(scan, '-') ||
        !scan_digits(scan, 4, &year))
        return imap_scan_fail(scan, "Bad date");
    if (day < 1 || day > lengths[month - 1])
        return imap_scan_fail(scan, "Bad day in a date");
    *ret_day = mime_date_days(year, month, day);
    return true;
}

/* RFC 3501 §9: date = date-text / DQUOTE date-text DQUOTE. */
bool imap_scan_date(struct imap_scan *scan, int64_t *ret_day)
{
    bool quoted = imap_scan_byte(scan, '"');
    size_t digits = scan->rest.len > 1 && ascii_is_digit(scan->rest.at[1]) ? 2 : 1;
    int64_t day = 0;
    if (!scan_digits(scan, digits, &day) || !scan_day_month_year(scan, day, ret_day))
        return false;
    return !quoted || imap_scan_byte(scan, '"') || imap_scan_fail(scan, "Bad date");
}

/* RFC 3501 §9: date-time, with "+hhmm" or "-hhmm". */
bool imap_scan_date_time(struct imap_scan *scan, int64_t *ret_seconds)
{
    int64_t day = 0, hour = 0, minute = 0, second = 0, zone = 0, days = 0;
    if (!imap_scan_byte(scan, '"'))
        return imap_scan_fail(scan, "Bad date-time");
    if (!scan_digits(scan, imap_scan_byte(scan, ' ') ? 1 : 2, &day) || !scan_day_month_year(scan, day, &days))
        return false;
    bool well = imap_scan_byte(scan, ' ') && scan_digits(scan, 2, &hour) && imap_scan_byte(scan, ':') &&
                scan_digits(scan, 2, &minute) && imap_scan_byte(scan, ':') && scan_digits(scan, 2, &second) &&
                imap_scan_byte(scan, ' ') && (imap_scan_peek(scan, '+') || imap_scan_peek(scan, '-'));
    if (!well)
        return imap_scan_fail(scan, "Bad date-time");
    int64_t sign = imap_scan_byte(scan, '-') ? -1 : 1;
    (void)imap_scan_byte(scan, '+');
    if (!scan_digits(scan, 4, &zone) || !imap_scan_byte(scan, '"') || hour > 23 || minute > 59 || second > 60)
        return imap_scan_fail(scan, "Bad date-time");
    *ret_seconds = days * 86400 + hour * 3600 + minute * 60 + second - sign * (zone / 100 * 3600 + zone % 100 * 60);
    return true;
}

/* RFC 3501 §2.3.2. "\Recent" is refused where it would be stored. */
static bool scan_system_flag(struct imap_scan *scan, struct imap_flags *flags)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"Seen", IMAP_FLAG_SEEN},       {"Answered", IMAP_FLAG_ANSWERED}, {"Flagged", IMAP_FLAG_FLAGGED},
                 {"Deleted", IMAP_FLAG_DELETED}, {"Draft", IMAP_FLAG_DRAFT},       {"Recent", IMAP_FLAG_RECENT}};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!imap_scan_word(scan, names[i].name))
            continue;
        flags->system |= names[i].bit;
        return true;
    }
    return imap_scan_fail(scan, "Unknown system flag");
}

bool imap_scan_flag(struct imap_scan *scan, struct imap_flags *flags)
{
    if (imap_scan_byte(scan, '\\'))
        return scan_system_flag(scan, flags);
    span_t keyword = SPAN_NONE;
    if (!imap_scan_atom(scan, &keyword))
        return imap_scan_fail(scan, "Expected a flag");
    if (keyword.len > IMAP_KEYWORD_LEN_MAX || flags->count >= IMAP_KEYWORDS_MAX)
        return imap_scan_fail(scan, "Too many or too long keywords");
    if (flags->keywords == NULL)
        flags->keywords = arena_alloc_array(scan->arena, IMAP_KEYWORDS_MAX, sizeof(*flags->keywords));
    if (flags->keywords == NULL)
        return out_of_memory(scan);
    flags->keywords[flags->count++] = keyword;
    return true;
}

bool imap_scan_flag_list(struct imap_scan *scan, struct imap_flags *ret_flags)
{
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a flag list");
    while (imap_scan_byte(scan, ' '))
        ;
    while (!imap_scan_byte(scan, ')')) {
        if (!imap_scan_flag(scan, ret_flags))
            return false;
        while (imap_scan_byte(scan, ' '))
            ;
    }
    return true;
}
