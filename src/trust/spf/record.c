#include "trust/spf/record.h"

#include <errno.h>

#include "trust/ip.h"
#include "trust/spf/macro.h"

#define VERSION "v=spf1" /* RFC 7208 §4.5 */

bool spf_is_record(span_t text)
{
    if (!span_starts_nocase(text, SPAN(VERSION)))
        return false;
    return text.len == sizeof(VERSION) - 1 || text.at[sizeof(VERSION) - 1] == ' ';
}

/* What a mechanism may have behind its name (RFC 7208 §5). */
enum argument {
    MAY_HAVE_DOMAIN = 1,
    MUST_HAVE_DOMAIN = 2,
    MAY_HAVE_BITS = 4,
    HAS_FOUR = 8,
    HAS_SIX = 16,
};

static const struct {
    const char *name;
    unsigned arguments;
} mechanisms[] = {
    [SPF_ALL] = {"all", 0},                             /* RFC 7208 §5.1 */
    [SPF_INCLUDE] = {"include", MUST_HAVE_DOMAIN},      /* RFC 7208 §5.2 */
    [SPF_A] = {"a", MAY_HAVE_DOMAIN | MAY_HAVE_BITS},   /* RFC 7208 §5.3 */
    [SPF_MX] = {"mx", MAY_HAVE_DOMAIN | MAY_HAVE_BITS}, /* RFC 7208 §5.4 */
    [SPF_PTR] = {"ptr", MAY_HAVE_DOMAIN},               /* RFC 7208 §5.5 */
    [SPF_IP4] = {"ip4", HAS_FOUR | MAY_HAVE_BITS},      /* RFC 7208 §5.6 */
    [SPF_IP6] = {"ip6", HAS_SIX | MAY_HAVE_BITS},       /* RFC 7208 §5.6 */
    [SPF_EXISTS] = {"exists", MUST_HAVE_DOMAIN},        /* RFC 7208 §5.7 */
};

/* Takes "/" and a number without leading zeros off the end; false where that is not what stands there. */
static bool take_number(span_t *text, unsigned max, uint8_t *bits)
{
    size_t slash = span_find_last_byte(*text, '/');
    span_t digits = span_from(*text, slash + 1);
    uint64_t value = 0;
    if (slash >= text->len || (digits.len > 1 && digits.at[0] == '0') || span_to_u64(digits, 999, &value) != 0)
        return false;
    if (value > max)
        return false;
    *bits = (uint8_t)value;
    *text = span_upto(*text, slash);
    return true;
}

/* [ "/" number ] [ "//" number ] at the end (RFC 7208 §5.6). Anything else stays, and is then no domain. */
static void take_bits(span_t *text, struct spf_term *term)
{
    span_t rest = *text;
    uint8_t bits = 0;
    if (take_number(&rest, 128, &bits) && span_ends(rest, SPAN("/"))) {
        term->bits_six = bits;
        *text = span_upto(rest, rest.len - 1);
    }
    (void)take_number(text, 32, &term->bits_four);
}

static bool parse_address(span_t text, struct spf_term *term)
{
    if (term->mechanism == SPF_IP4) {
        if (span_find_byte(text, '/') < text.len && !take_number(&text, 32, &term->bits_four))
            return false;
        return ip_parse_four(text, term->address);
    }
    if (span_find_byte(text, '/') < text.len && !take_number(&text, 128, &term->bits_six))
        return false;
    return ip_parse_six(text, term->address);
}

/* What follows the mechanism's name: nothing, ":…" or "/…". */
static bool parse_arguments(span_t text, struct spf_term *term)
{
    unsigned arguments = mechanisms[term->mechanism].arguments;
    bool has_colon = text.len > 0 && text.at[0] == ':';
    if ((arguments & (HAS_FOUR | HAS_SIX)) != 0)
        return has_colon && parse_address(span_from(text, 1), term);
    if ((arguments & MAY_HAVE_BITS) != 0)
        take_bits(&text, term);
    if (has_colon && (arguments & (MAY_HAVE_DOMAIN | MUST_HAVE_DOMAIN)) != 0) {
        term->domain = span_from(text, 1);
        return spf_macro_is_valid(term->domain, SPF_IN_DOMAIN);
    }
    return text.len == 0 && (arguments & MUST_HAVE_DOMAIN) == 0;
}

static bool parse_mechanism(span_t text, struct spf_term *ret_term)
{
    static const enum spf_result meanings[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL}; /* RFC 7208 §4.6.2 */
    size_t sign = text.len > 0 ? span_find_byte(SPAN("+-~?"), text.at[0]) : 4;
    struct spf_term term = {.qualifier = meanings[sign & 3U], .bits_four = 32, .bits_six = 128};
    if (sign < 4)
        text = span_from(text, 1);
    size_t len = 0;
    while (len < text.len && text.at[len] != ':' && text.at[len] != '/')
        len++;
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
        if (!span_equal_nocase(span_upto(text, len), span_of_text(mechanisms[i].name)))
            continue;
        term.mechanism = (enum spf_mechanism)i;
        *ret_term = term;
        return parse_arguments(span_from(text, len), ret_term);
    }
    return false;
}

static bool is_name(span_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        if (!ascii_is_alpha(byte) && (i == 0 || !(ascii_is_digit(byte) || byte == '-' || byte == '_' || byte == '.')))
            return false;
    }
    return name.len > 0;
}

static bool parse_modifier(span_t name, span_t value, struct spf_record *record)
{
    bool is_redirect = span_equal_nocase(name, SPAN("redirect"));
    if (!is_redirect && !span_equal_nocase(name, SPAN("exp")))
        return spf_macro_is_valid(value, SPF_IN_STRING); /* unknown: ignored (RFC 7208 §6) */
    span_t *place = is_redirect ? &record->redirect : &record->exp;
    if (place->at != NULL) /* RFC 7208 §6 */
        return false;
    *place = value;
    return spf_macro_is_valid(value, SPF_IN_DOMAIN);
}

static bool parse_term(span_t text, struct spf_record *record, struct spf_term *terms)
{
    size_t len = 0;
    while (len < text.len && text.at[len] != ':' && text.at[len] != '/' && text.at[len] != '=')
        len++;
    if (len < text.len && text.at[len] == '=')
        return is_name(span_upto(text, len)) && parse_modifier(span_upto(text, len), span_from(text, len + 1), record);
    return parse_mechanism(text, &terms[record->count++]);
}

int spf_record_parse(span_t text, struct arena *arena, struct spf_record *ret_record)
{
    struct spf_record record = {.count = 0};
    size_t most = 1;
    for (size_t i = 0; i < text.len; i++) {
        most += text.at[i] == ' ' ? 1 : 0;
        if (text.at[i] != ' ' && !ascii_is_print(text.at[i]))
            return SPF_PARSE_WRONG;
    }
    struct spf_term *terms = arena_alloc_array(arena, most, sizeof(*terms));
    if (terms == NULL)
        return -ENOMEM;
    text = span_from(text, sizeof(VERSION) - 1);
    for (span_t word; span_cut(&text, ' ', &word);)
        if (word.len > 0 && !parse_term(word, &record, terms))
            return SPF_PARSE_WRONG;
    record.terms = terms;
    *ret_record = record;
    return SPF_PARSE_OK;
}
