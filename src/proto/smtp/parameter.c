#include "proto/smtp/parameter.h"

#include "mime/date.h"

#define HOLD_FOR_DIGITS 9U /* RFC 4865 §3 */

bool smtp_is_xtext(span_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '+') {
            for (size_t j = i + 1; j <= i + 2; j++)
                if (j >= text.len || (!ascii_is_digit(text.at[j]) && (text.at[j] < 'A' || text.at[j] > 'F')))
                    return false;
            i += 2;
        } else if (!ascii_is_print(text.at[i]) || text.at[i] == '=') {
            return false;
        }
    }
    return text.len > 0;
}

typedef enum smtp_parse value_parser(span_t value, struct smtp_command *command);

static enum smtp_parse parse_size(span_t value, struct smtp_command *command)
{
    if (command->has_size || value.len > 20 || span_to_u64(value, UINT64_MAX, &command->size) < 0)
        return SMTP_PARSE_SYNTAX;
    command->has_size = true;
    return SMTP_PARSE_OK;
}

static enum smtp_parse parse_body(span_t value, struct smtp_command *command)
{
    static const char *const names[] = {
        [SMTP_BODY_7BIT] = "7BIT", [SMTP_BODY_8BIT] = "8BITMIME", [SMTP_BODY_BINARY] = "BINARYMIME"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (span_equal_nocase(value, span_of_text(names[i]))) {
            command->body = (enum smtp_body)i;
            return SMTP_PARSE_OK;
        }
    return SMTP_PARSE_SYNTAX;
}

static enum smtp_parse parse_utf8(span_t value, struct smtp_command *command)
{
    command->utf8 = true;
    return value.at == NULL ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX; /* RFC 6531 §3.4: no value */
}

static enum smtp_parse parse_require_tls(span_t value, struct smtp_command *command)
{
    command->require_tls = true;
    return value.at == NULL ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX; /* RFC 8689 §2: no value */
}

static enum smtp_parse parse_auth(span_t value, struct smtp_command *command)
{
    (void)command;
    return smtp_is_xtext(value) ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX;
}

static enum smtp_parse parse_ret(span_t value, struct smtp_command *command)
{
    bool is_full = span_equal_nocase(value, SPAN("FULL"));
    if (command->ret != SMTP_RETURN_ANY || !(is_full || span_equal_nocase(value, SPAN("HDRS"))))
        return SMTP_PARSE_SYNTAX;
    command->ret = is_full ? SMTP_RETURN_FULL : SMTP_RETURN_HEADERS;
    return SMTP_PARSE_OK;
}

static enum smtp_parse parse_envid(span_t value, struct smtp_command *command)
{
    if (command->envid.len > 0 || value.len > SMTP_ENVID_MAX || !smtp_is_xtext(value))
        return SMTP_PARSE_SYNTAX;
    command->envid = value;
    return SMTP_PARSE_OK;
}

static enum smtp_parse parse_notify(span_t value, struct smtp_command *command)
{
    static const struct {
        const char *name;
        enum smtp_notify notify;
    } words[] = {{"NEVER", SMTP_NOTIFY_NEVER},
                 {"SUCCESS", SMTP_NOTIFY_SUCCESS},
                 {"FAILURE", SMTP_NOTIFY_FAILURE},
                 {"DELAY", SMTP_NOTIFY_DELAY}};
    unsigned notify = 0;
    span_t word;
    while (span_cut(&value, ',', &word)) {
        size_t at = 0;
        while (at < COUNT_OF(words) && !span_equal_nocase(word, span_of_text(words[at].name)))
            at++;
        if (at == COUNT_OF(words))
            return SMTP_PARSE_SYNTAX;
        notify |= words[at].notify;
    }
    /* RFC 3461 §4.1: NEVER stands alone. */
    if (command->notify != 0 || notify == 0 || ((notify & SMTP_NOTIFY_NEVER) != 0 && notify != SMTP_NOTIFY_NEVER))
        return SMTP_PARSE_SYNTAX;
    command->notify = notify;
    return SMTP_PARSE_OK;
}

/* RFC 3461 §4.2: an address type, a semicolon, the address as xtext; of utf-8, also as RFC 6533 §3 writes it. */
static enum smtp_parse parse_orcpt(span_t value, struct smtp_command *command)
{
    size_t semicolon = span_find_byte(value, ';');
    span_t address = span_from(value, semicolon + 1);
    if (command->orcpt.len > 0 || semicolon == 0 || value.len > SMTP_ORCPT_MAX || !smtp_is_xtext(address))
        return SMTP_PARSE_SYNTAX;
    for (size_t i = 0; i < semicolon; i++)
        if (!ascii_is_alpha(value.at[i]) && !ascii_is_digit(value.at[i]) && value.at[i] != '-')
            return SMTP_PARSE_SYNTAX;
    command->orcpt = value;
    return SMTP_PARSE_OK;
}

static bool is_held(const struct smtp_command *command)
{
    return command->hold_for != 0 || command->hold_until != 0;
}

static enum smtp_parse parse_hold_for(span_t value, struct smtp_command *command)
{
    if (is_held(command) || value.len > HOLD_FOR_DIGITS || span_to_u64(value, 999999999, &command->hold_for) < 0 ||
        command->hold_for == 0)
        return SMTP_PARSE_SYNTAX;
    return SMTP_PARSE_OK;
}

/* Two digits at a place. */
static bool take_two(span_t text, size_t at, int64_t *ret_number)
{
    uint64_t number;
    span_t digits = span_slice(text, at, 2);
    if (digits.len != 2 || span_to_u64(digits, 99, &number) < 0)
        return false;
    *ret_number = (int64_t)number;
    return true;
}

/* RFC 3339 §5.6, without fractions: 2026-11-21T10:44:12Z, or +01:00 for Z (RFC 4865 §3). */
static enum smtp_parse parse_hold_until(span_t value, struct smtp_command *command)
{
    int64_t century;
    int64_t year;
    int64_t field[5]; /* month, day, hour, minute, second */
    int64_t zone_hours = 0;
    int64_t zone_minutes = 0;
    static const char marks[] = {[4] = '-', [7] = '-', [10] = 'T', [13] = ':', [16] = ':'};
    if (is_held(command) || value.len < 20 || !take_two(value, 0, &century) || !take_two(value, 2, &year))
        return SMTP_PARSE_SYNTAX;
    for (size_t at = 4; at <= 16; at += 3)
        if (ascii_upper(value.at[at]) != marks[at] || !take_two(value, at + 1, &field[(at - 4) / 3]))
            return SMTP_PARSE_SYNTAX;
    span_t zone = span_from(value, 19);
    bool is_utc = span_equal_nocase(zone, SPAN("Z"));
    bool is_offset = zone.len == 6 && (zone.at[0] == '+' || zone.at[0] == '-') && zone.at[3] == ':' &&
                     take_two(zone, 1, &zone_hours) && take_two(zone, 4, &zone_minutes);
    if (!is_utc && !is_offset)
        return SMTP_PARSE_SYNTAX;
    if (field[0] < 1 || field[0] > 12 || field[1] < 1 || field[1] > 31 || field[2] > 23 || field[3] > 59 ||
        field[4] > 60 || zone_hours > 23 || zone_minutes > 59)
        return SMTP_PARSE_SYNTAX;
    int64_t offset = (zone_hours * 60 + zone_minutes) * 60 * (is_offset && zone.at[0] == '-' ? -1 : 1);
    int64_t days = mime_date_days(century * 100 + year, field[0], field[1]);
    command->hold_until = days * 86400 + field[2] * 3600 + field[3] * 60 + field[4] - offset;
    return command->hold_until > 0 ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX;
}

static const struct parameter {
    enum smtp_verb verb;
    const char *name;
    value_parser *parse;
} parameters[] = {
    {SMTP_MAIL, "SIZE", parse_size},              /* RFC 1870 §6 */
    {SMTP_MAIL, "BODY", parse_body},              /* RFC 6152 §2, RFC 3030 §3 */
    {SMTP_MAIL, "SMTPUTF8", parse_utf8},          /* RFC 6531 §3.4 */
    {SMTP_MAIL, "AUTH", parse_auth},              /* RFC 4954 §5 */
    {SMTP_MAIL, "RET", parse_ret},                /* RFC 3461 §4.3 */
    {SMTP_MAIL, "ENVID", parse_envid},            /* RFC 3461 §4.4 */
    {SMTP_MAIL, "REQUIRETLS", parse_require_tls}, /* RFC 8689 §2 */
    {SMTP_MAIL, "HOLDFOR", parse_hold_for},       /* RFC 4865 §3 */
    {SMTP_MAIL, "HOLDUNTIL", parse_hold_until},   /* RFC 4865 §3 */
    {SMTP_RCPT, "NOTIFY", parse_notify},          /* RFC 3461 §4.1 */
    {SMTP_RCPT, "ORCPT", parse_orcpt},            /* RFC 3461 §4.2 */
};

enum smtp_parse smtp_parameter_parse(span_t parameter, struct smtp_command *command)
{
    size_t equals = span_find_byte(parameter, '=');
    span_t name = span_upto(parameter, equals);
    span_t value = equals < parameter.len ? span_from(parameter, equals + 1) : SPAN_NONE;
    for (size_t i = 0; i < COUNT_OF(parameters); i++)
        if (command->verb == parameters[i].verb && span_equal_nocase(name, span_of_text(parameters[i].name)))
            return parameters[i].parse(value, command);
    return SMTP_PARSE_PARAMETER;
}
