#include "proto/smtp/command.h"

#include <string.h>

#include "proto/smtp/parameter.h"
#include "proto/smtp/path.h"

typedef enum smtp_parse argument_parser(span_t argument, struct smtp_command *command);

/* RFC 5321 §4.1.1.1. Many clients say EHLO with something that is no domain; all that matters is that it is printable.
 */
static enum smtp_parse parse_name(span_t argument, struct smtp_command *command)
{
    if (argument.len == 0 || argument.len > SMTP_DOMAIN_MAX)
        return SMTP_PARSE_SYNTAX;
    for (size_t i = 0; i < argument.len; i++)
        if (!ascii_is_print(argument.at[i]) && argument.at[i] < 0x80)
            return SMTP_PARSE_SYNTAX;
    command->argument = argument;
    return SMTP_PARSE_OK;
}

static enum smtp_parse parse_path(span_t argument, span_t keyword, struct smtp_command *command)
{
    if (!span_starts_nocase(argument, keyword))
        return SMTP_PARSE_SYNTAX;
    /* RFC 5321 §3.3 forbids the space that many put after the colon; taking it harms nobody. */
    span_t rest = span_trim(span_from(argument, keyword.len));
    enum smtp_parse parse = smtp_path_take(&rest, &command->path);
    if (parse != SMTP_PARSE_OK)
        return parse;
    if (rest.len > 0 && rest.at[0] != ' ')
        return SMTP_PARSE_ADDRESS;
    span_t parameter;
    while (span_cut(&rest, ' ', &parameter)) {
        parse = parameter.len == 0 ? SMTP_PARSE_OK : smtp_parameter_parse(parameter, command);
        if (parse != SMTP_PARSE_OK)
            return parse;
    }
    return SMTP_PARSE_OK;
}

static enum smtp_parse parse_mail(span_t argument, struct smtp_command *command)
{
    return parse_path(argument, SPAN("FROM:"), command);
}

static enum smtp_parse parse_rcpt(span_t argument, struct smtp_command *command)
{
    enum smtp_parse parse = parse_path(argument, SPAN("TO:"), command);
    return parse == SMTP_PARSE_OK && command->path.is_null ? SMTP_PARSE_ADDRESS : parse;
}

static enum smtp_parse parse_nothing(span_t argument, struct smtp_command *command)
{
    (void)command;
    return argument.len == 0 ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX;
}

static enum smtp_parse parse_anything(span_t argument, struct smtp_command *command)
{
    command->argument = argument;
    return SMTP_PARSE_OK;
}

static enum smtp_parse parse_something(span_t argument, struct smtp_command *command)
{
    command->argument = argument;
    return argument.len > 0 ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX;
}

/* RFC 3030 §2: BDAT SP chunk-size [SP "LAST"] */
static enum smtp_parse parse_bdat(span_t argument, struct smtp_command *command)
{
    span_t rest = argument;
    span_t size = SPAN_NONE;
    if (!span_cut(&rest, ' ', &size) || size.len > 20 || span_to_u64(size, INT64_MAX, &command->size) < 0)
        return SMTP_PARSE_SYNTAX;
    rest = span_trim(rest);
    command->last = span_equal_nocase(rest, SPAN("LAST"));
    return rest.len == 0 || command->last ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX;
}

/* RFC 4954 §4: AUTH SP mechanism [SP initial-response] */
static enum smtp_parse parse_auth(span_t argument, struct smtp_command *command)
{
    span_t rest = argument;
    if (!span_cut(&rest, ' ', &command->argument) || command->argument.len == 0)
        return SMTP_PARSE_SYNTAX;
    command->initial = span_trim(rest);
    command->has_initial = command->initial.len > 0;
    return span_find_byte(command->initial, ' ') == command->initial.len ? SMTP_PARSE_OK : SMTP_PARSE_SYNTAX;
}

static const struct verb {
    const char *name;
    argument_parser *parse;
} verbs[SMTP_VERB_COUNT] = {
    [SMTP_EHLO] = {"EHLO", parse_name},            /* RFC 5321 §4.1.1.1 */
    [SMTP_HELO] = {"HELO", parse_name},            /* RFC 5321 §4.1.1.1 */
    [SMTP_MAIL] = {"MAIL", parse_mail},            /* RFC 5321 §4.1.1.2 */
    [SMTP_RCPT] = {"RCPT", parse_rcpt},            /* RFC 5321 §4.1.1.3 */
    [SMTP_DATA] = {"DATA", parse_nothing},         /* RFC 5321 §4.1.1.4 */
    [SMTP_BDAT] = {"BDAT", parse_bdat},            /* RFC 3030 §2 */
    [SMTP_RSET] = {"RSET", parse_nothing},         /* RFC 5321 §4.1.1.5 */
    [SMTP_NOOP] = {"NOOP", parse_anything},        /* RFC 5321 §4.1.1.9 */
    [SMTP_QUIT] = {"QUIT", parse_nothing},         /* RFC 5321 §4.1.1.10 */
    [SMTP_VRFY] = {"VRFY", parse_something},       /* RFC 5321 §4.1.1.6 */
    [SMTP_EXPN] = {"EXPN", parse_something},       /* RFC 5321 §4.1.1.7 */
    [SMTP_HELP] = {"HELP", parse_anything},        /* RFC 5321 §4.1.1.8 */
    [SMTP_STARTTLS] = {"STARTTLS", parse_nothing}, /* RFC 3207 §4 */
    [SMTP_AUTH] = {"AUTH", parse_auth},            /* RFC 4954 §4 */
};

static bool line_is_clean(span_t line)
{
    if (!span_ends(line, SPAN("\r\n")))
        return false;
    span_t content = span_upto(line, line.len - 2);
    return span_find_byte(content, '\r') == content.len && span_find_byte(content, '\n') == content.len &&
           span_find_byte(content, '\0') == content.len;
}

enum smtp_parse smtp_command_parse(span_t line, struct smtp_command *ret_command)
{
    if (!line_is_clean(line))
        return SMTP_PARSE_BARE_NEWLINE;
    span_t rest = span_trim(line);
    size_t word = span_find_byte(rest, ' ');
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (span_equal_nocase(span_upto(rest, word), span_of_text(verbs[i].name))) {
            memset(ret_command, 0, sizeof(*ret_command));
            ret_command->verb = (enum smtp_verb)i;
            return verbs[i].parse(span_trim(span_from(rest, word)), ret_command);
        }
    return SMTP_PARSE_UNKNOWN;
}
