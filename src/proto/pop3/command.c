#include "proto/pop3/command.h"

#include <errno.h>

#define EITHER ((unsigned)POP3_AUTHORIZATION | (unsigned)POP3_TRANSACTION)

enum form {
    FORM_NONE,
    FORM_TEXT,          /* everything behind the one space: passwords have spaces (RFC 1939 §7) */
    FORM_WORD_OR_NONE,  /* LANG */
    FORM_WORDS_OR_NONE, /* AUTH: without a mechanism old clients ask for a list */
    FORM_NUMBER,
    FORM_NUMBER_OR_NONE,
    FORM_NUMBER_AND_LINES,
};

static const struct rule {
    const char *name;
    unsigned states;
    enum form form;
} rules[POP3_VERB_COUNT] = {
    [POP3_AUTH] = {"AUTH", POP3_AUTHORIZATION, FORM_WORDS_OR_NONE}, /* RFC 5034 §4 */
    [POP3_CAPA] = {"CAPA", EITHER, FORM_NONE},                      /* RFC 2449 §5 */
    [POP3_DELE] = {"DELE", POP3_TRANSACTION, FORM_NUMBER},          /* RFC 1939 §5 */
    [POP3_LANG] = {"LANG", EITHER, FORM_WORD_OR_NONE},              /* RFC 6856 §3 */
    [POP3_LIST] = {"LIST", POP3_TRANSACTION, FORM_NUMBER_OR_NONE},  /* RFC 1939 §5 */
    [POP3_NOOP] = {"NOOP", POP3_TRANSACTION, FORM_NONE},            /* RFC 1939 §5 */
    [POP3_PASS] = {"PASS", POP3_AUTHORIZATION, FORM_TEXT},          /* RFC 1939 §7 */
    [POP3_QUIT] = {"QUIT", EITHER, FORM_NONE},                      /* RFC 1939 §4, §6 */
    [POP3_RETR] = {"RETR", POP3_TRANSACTION, FORM_NUMBER},          /* RFC 1939 §5 */
    [POP3_RSET] = {"RSET", POP3_TRANSACTION, FORM_NONE},            /* RFC 1939 §5 */
    [POP3_STAT] = {"STAT", POP3_TRANSACTION, FORM_NONE},            /* RFC 1939 §5 */
    [POP3_STLS] = {"STLS", POP3_AUTHORIZATION, FORM_NONE},          /* RFC 2595 §4 */
    [POP3_TOP] = {"TOP", POP3_TRANSACTION, FORM_NUMBER_AND_LINES},  /* RFC 1939 §7 */
    [POP3_UIDL] = {"UIDL", POP3_TRANSACTION, FORM_NUMBER_OR_NONE},  /* RFC 1939 §7 */
    [POP3_USER] = {"USER", POP3_AUTHORIZATION, FORM_TEXT},          /* RFC 1939 §7 */
    [POP3_UTF8] = {"UTF8", POP3_AUTHORIZATION, FORM_NONE},          /* RFC 6856 §2 */
};

static enum pop3_verb find_verb(span_t name)
{
    enum pop3_verb verb = 0;
    while (verb < POP3_VERB_COUNT && !span_equal_nocase(name, span_of_text(rules[verb].name)))
        verb++;
    return verb;
}

static bool is_text(span_t text)
{
    return text.len > 0 && span_find_byte(text, 0) == text.len && span_find_byte(text, '\r') == text.len;
}

static bool is_word(span_t word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!ascii_is_print(word.at[i]))
            return false;
    return word.len > 0;
}

static bool take_number(span_t word, uint64_t *ret_number)
{
    int result = span_to_u64(word, POP3_NUMBER_MAX, ret_number);
    if (result == -ERANGE)
        *ret_number = POP3_NUMBER_MAX;
    return result == 0 || result == -ERANGE;
}

/* At most two words, and the spaces some clients leave behind them. false: there is more, or what is no word. */
static bool take_words(span_t rest, span_t *first, span_t *second)
{
    *first = SPAN_NONE;
    *second = SPAN_NONE;
    rest = span_trim(rest);
    if (rest.len == 0)
        return true;
    size_t end = span_find_byte(rest, ' ');
    *first = span_upto(rest, end);
    if (end < rest.len)
        *second = span_trim(span_from(rest, end));
    return is_word(*first) && (second->at == NULL || is_word(*second));
}

static bool take_arguments(enum form form, span_t rest, struct pop3_command *command)
{
    span_t first;
    span_t second;
    if (form == FORM_TEXT) {
        command->text = rest;
        return is_text(rest);
    }
    if (!take_words(rest, &first, &second))
        return false;
    switch (form) {
    case FORM_NONE:
        return first.at == NULL;
    case FORM_WORD_OR_NONE:
        command->text = first;
        return second.at == NULL;
    case FORM_WORDS_OR_NONE:
        command->text = first;
        command->initial = second;
        return true;
    case FORM_NUMBER_AND_LINES:
        command->has_number = true;
        return take_number(first, &command->number) && take_number(second, &command->lines);
    case FORM_NUMBER_OR_NONE:
        if (first.at == NULL)
            return true;
        break;
    case FORM_NUMBER:
    case FORM_TEXT:
        break;
    }
    command->has_number = true;
    return second.at == NULL && take_number(first, &command->number);
}

enum pop3_parse pop3_command_parse(span_t line, enum pop3_state state, struct pop3_command *ret_command)
{
    size_t end = span_find_byte(line, ' ');
    struct pop3_command command = {.verb = find_verb(span_upto(line, end))};
    if (command.verb == POP3_VERB_COUNT)
        return POP3_PARSE_UNKNOWN;
    const struct rule *rule = &rules[command.verb];
    if ((rule->states & (unsigned)state) == 0)
        return POP3_PARSE_STATE;
    if (!take_arguments(rule->form, span_from(line, end + 1), &command))
        return POP3_PARSE_ARGUMENT;
    *ret_command = command;
    return POP3_PARSE_OK;
}

enum pop3_read pop3_reader_next(struct pop3_reader *reader, struct buf *input, span_t *ret_line, size_t *ret_len)
{
    span_t all = buf_span(input);
    size_t end = span_find_byte(all, '\n');
    if (reader->is_skipping) {
        reader->is_skipping = end == all.len;
        buf_consume(input, reader->is_skipping ? end : end + 1);
        all = buf_span(input);
        end = span_find_byte(all, '\n');
    }
    if (end > reader->max) {
        reader->is_skipping = true;
        return POP3_READ_LONG;
    }
    if (end == all.len)
        return POP3_READ_MORE;
    *ret_line = span_upto(all, end > 0 && all.at[end - 1] == '\r' ? end - 1 : end);
    *ret_len = end + 1;
    return POP3_READ_LINE;
}
