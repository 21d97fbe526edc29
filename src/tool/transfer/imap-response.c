#include "tool/transfer/imap-response.h"

#include <errno.h>
#include <string.h>

#include "mime/date.h"

#define NESTING_MAX 64U
#define DATE_MAX 64U

/* --- where a response ends --- */

/* The literal that a line announces at its end (RFC 3501 §4.3, RFC 7888 §4, RFC 9051 §4.3). */
static bool literal_at_end(span_t line, size_t *ret_len)
{
    if (line.len < 3 || line.at[line.len - 1] != '}')
        return false;
    size_t brace = span_find_last_byte(line, '{');
    uint64_t value = 0;
    if (brace >= line.len)
        return false;
    span_t digits = span_slice(line, brace + 1, line.len - brace - 2);
    if (digits.len > 0 && digits.at[digits.len - 1] == '+')
        digits.len--;
    if (span_to_u64(digits, SIZE_MAX / 4, &value) < 0)
        return false;
    *ret_len = (size_t)value;
    return true;
}

int imap_response_measure(span_t input, size_t max, size_t *ret_len)
{
    size_t at = 0;
    size_t in_lines = 0;
    for (unsigned literals = 0; literals <= IMAP_RESPONSE_LITERALS; literals++) {
        span_t rest = span_from(input, at);
        size_t line = span_find(rest, SPAN("\r\n"));
        size_t literal = 0;
        in_lines += line;
        if (in_lines > IMAP_RESPONSE_LINE_MAX || at + line > max)
            return -EMSGSIZE;
        if (line == rest.len) {
            *ret_len = input.len + 1;
            return IMAP_RESPONSE_MORE;
        }
        at += line + 2;
        if (!literal_at_end(span_upto(rest, line), &literal)) {
            *ret_len = at;
            return IMAP_RESPONSE_WHOLE;
        }
        if (literal > max || at + literal > max)
            return -EMSGSIZE;
        at += literal;
        if (at >= input.len) {
            *ret_len = at + 2;
            return IMAP_RESPONSE_MORE;
        }
    }
    return -EMSGSIZE;
}

/* --- its parts --- */

static span_t take_word(span_t *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] > ' ')
        len++;
    span_t word = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    if (rest->len > 0 && rest->at[0] == ' ')
        *rest = span_from(*rest, 1);
    return word;
}

static bool is_status(span_t word)
{
    static const span_t statuses[] = {{(const uint8_t *)"OK", 2},
                                      {(const uint8_t *)"NO", 2},
                                      {(const uint8_t *)"BAD", 3},
                                      {(const uint8_t *)"BYE", 3},
                                      {(const uint8_t *)"PREAUTH", 7}};
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (span_equal_nocase(word, statuses[i]))
            return true;
    return false;
}

int imap_response_read(span_t response, struct imap_response *ret_response)
{
    struct imap_response read = {.kind = IMAP_TAGGED};
    if (!span_ends(response, SPAN("\r\n")))
        return -EBADMSG;
    span_t rest = span_upto(response, response.len - 2);
    read.tag = take_word(&rest);
    if (span_equal(read.tag, SPAN("+"))) {
        read.kind = IMAP_CONTINUE;
        read.rest = rest;
        *ret_response = read;
        return 0;
    }
    if (span_equal(read.tag, SPAN("*")))
        read.kind = IMAP_UNTAGGED;
    read.word = take_word(&rest);
    if (read.kind == IMAP_UNTAGGED && span_to_u64(read.word, UINT32_MAX, &read.number) == 0)
        read.word = take_word(&rest);
    if (read.word.len == 0 || read.tag.len == 0)
        return -EBADMSG;
    if (is_status(read.word) && rest.len > 0 && rest.at[0] == '[') {
        size_t end = span_find_byte(rest, ']');
        read.code = span_slice(rest, 1, end - 1);
        rest = span_from(rest, end + 1);
    }
    read.rest = span_trim(rest);
    if (!is_status(read.word))
        read.rest = rest;
    *ret_response = read;
    return 0;
}

/* A literal, with or without what marks a binary one. */
static int take_literal(span_t *rest, span_t *ret_bytes)
{
    span_t from = rest->at[0] == '~' ? span_from(*rest, 1) : *rest;
    size_t line = span_find(from, SPAN("\r\n"));
    size_t len = 0;
    if (line == from.len || !literal_at_end(span_upto(from, line), &len) || len > from.len - line - 2)
        return -EBADMSG;
    *ret_bytes = span_slice(from, line + 2, len);
    *rest = span_from(from, line + 2 + len);
    return 0;
}

/* What stands between quotes, its backslashes still in it. */
static int take_quoted(span_t *rest, span_t *ret_bytes)
{
    size_t end = 1;
    while (end < rest->len && rest->at[end] != '"')
        end += rest->at[end] == '\\' ? 2 : 1;
    if (end >= rest->len)
        return -EBADMSG;
    *ret_bytes = span_slice(*rest, 1, end - 1);
    *rest = span_from(*rest, end + 1);
    return 0;
}

static bool is_literal(span_t rest)
{
    return rest.len > 0 && (rest.at[0] == '{' || (rest.at[0] == '~' && rest.len > 1 && rest.at[1] == '{'));
}

/* An atom ends at a space or a parenthesis, unless that is in brackets. */
static span_t take_atom(span_t *rest)
{
    size_t len = 0;
    bool in_brackets = false;
    for (; len < rest->len; len++) {
        uint8_t byte = rest->at[len];
        if (byte == '[')
            in_brackets = true;
        else if (byte == ']')
            in_brackets = false;
        else if (!in_brackets && (byte == ' ' || byte == '(' || byte == ')' || byte == '"'))
            break;
    }
    span_t atom = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return atom;
}

enum value_kind { VALUE_TEXT, VALUE_QUOTED, VALUE_LIST };

struct value {
    enum value_kind kind;
    span_t bytes; /* of a list: what stands between the parentheses */
};

static int take_plain(span_t *rest, struct value *ret_value)
{
    ret_value->kind = VALUE_TEXT;
    if (is_literal(*rest))
        return take_literal(rest, &ret_value->bytes);
    if (rest->len > 0 && rest->at[0] == '"') {
        ret_value->kind = VALUE_QUOTED;
        return take_quoted(rest, &ret_value->bytes);
    }
    ret_value->bytes = take_atom(rest);
    return ret_value->bytes.len > 0 ? 0 : -EBADMSG;
}

static int take_list(span_t *rest, struct value *ret_value)
{
    const uint8_t *start = rest->at + 1;
    unsigned depth = 0;
    for (;;) {
        if (rest->len == 0 || depth > NESTING_MAX)
            return -EBADMSG;
        uint8_t byte = rest->at[0];
        struct value inner;
        if (byte == '(' || byte == ')' || byte == ' ')
            *rest = span_from(*rest, 1);
        else if (take_plain(rest, &inner) < 0)
            return -EBADMSG;
        depth += byte == '(';
        if (byte == ')' && --depth == 0)
            break;
    }
    *ret_value = (struct value){.kind = VALUE_LIST, .bytes = span_of(start, (size_t)(rest->at - 1 - start))};
    return 0;
}

static int take_value(span_t *rest, struct value *ret_value)
{
    int result = rest->len > 0 && rest->at[0] == '(' ? take_list(rest, ret_value) : take_plain(rest, ret_value);
    if (result == 0 && rest->len > 0 && rest->at[0] == ' ')
        *rest = span_from(*rest, 1);
    return result;
}

/* --- responses --- */

static int unquote(const struct value *value, struct buf *text)
{
    for (size_t i = 0; i < value->bytes.len; i++) {
        if (value->kind == VALUE_QUOTED && value->bytes.at[i] == '\\' && i + 1 < value->bytes.len)
            i++;
        (void)buf_append_byte(text, value->bytes.at[i]);
    }
    return buf_fault(text);
}

int imap_response_list(span_t rest, struct imap_listed *ret_listed)
{
    struct value attributes;
    struct value delimiter;
    struct value name;
    buf_init(&ret_listed->name, IMAP_RESPONSE_LINE_MAX);
    if (take_value(&rest, &attributes) < 0 || attributes.kind != VALUE_LIST || take_value(&rest, &delimiter) < 0 ||
        take_value(&rest, &name) < 0 || name.kind == VALUE_LIST || name.bytes.len == 0)
        return -EBADMSG;
    ret_listed->attributes = attributes.bytes;
    ret_listed->delimiter = 0;
    if (delimiter.kind == VALUE_QUOTED && delimiter.bytes.len > 0)
        ret_listed->delimiter = delimiter.bytes.at[delimiter.bytes.len - 1];
    return unquote(&name, &ret_listed->name);
}

int imap_response_fetch(span_t rest, struct imap_fetched *ret_fetched)
{
    struct imap_fetched fetched = {.uid = 0};
    if (rest.len == 0 || rest.at[0] != '(')
        return -EBADMSG;
    rest = span_from(rest, 1);
    while (rest.len > 0 && rest.at[0] != ')') {
        struct value value;
        uint64_t number = 0;
        span_t name = take_atom(&rest);
        if (name.len == 0 || rest.len == 0 || rest.at[0] != ' ')
            return -EBADMSG;
        rest = span_from(rest, 1);
        if (take_value(&rest, &value) < 0)
            return -EBADMSG;
        if (span_equal_nocase(name, SPAN("UID")) && span_to_u64(value.bytes, UINT32_MAX, &number) == 0)
            fetched.uid = (uint32_t)number;
        else if (span_equal_nocase(name, SPAN("RFC822.SIZE")) && span_to_u64(value.bytes, UINT64_MAX, &number) == 0)
            fetched.size = number;
        else if (span_equal_nocase(name, SPAN("FLAGS")) && value.kind == VALUE_LIST)
            fetched.flags = value.bytes;
        else if (span_equal_nocase(name, SPAN("INTERNALDATE")) && value.kind == VALUE_QUOTED)
            fetched.date = value.bytes;
        else if (span_equal_nocase(name, SPAN("BODY[]")) && value.kind == VALUE_TEXT)
            fetched.body = value.bytes;
    }
    *ret_fetched = fetched;
    return rest.len > 0 ? 0 : -EBADMSG;
}

int imap_response_namespace(span_t rest, struct buf *prefix)
{
    struct value personal;
    struct value first;
    struct value name;
    if (take_value(&rest, &personal) < 0 || personal.kind != VALUE_LIST || personal.bytes.len == 0)
        return 0;
    if (take_value(&personal.bytes, &first) < 0 || first.kind != VALUE_LIST || take_value(&first.bytes, &name) < 0 ||
        name.kind == VALUE_LIST)
        return 0;
    return unquote(&name, prefix);
}

int imap_response_status(span_t rest, uint64_t *ret_messages)
{
    struct value name;
    struct value items;
    struct value number;
    if (take_value(&rest, &name) < 0 || take_value(&rest, &items) < 0 || items.kind != VALUE_LIST)
        return -EBADMSG;
    while (take_value(&items.bytes, &name) == 0 && take_value(&items.bytes, &number) == 0)
        if (span_equal_nocase(name.bytes, SPAN("MESSAGES")))
            return span_to_u64(number.bytes, UINT32_MAX, ret_messages) == 0 ? 0 : -EBADMSG;
    return -EBADMSG;
}

bool imap_response_has(span_t words, span_t word)
{
    span_t found;
    while (span_cut(&words, ' ', &found))
        if (span_equal_nocase(found, word))
            return true;
    return false;
}

int imap_response_date(span_t date, int64_t *ret_seconds)
{
    uint8_t text[DATE_MAX];
    struct mime_date parsed;
    unsigned hyphens = 0;
    if (date.len == 0 || date.len > sizeof(text))
        return -EINVAL;
    memcpy(text, date.at, date.len);
    /* With spaces for the hyphens inside the day it is a date of mail (RFC 5322 §3.3). */
    for (size_t i = 0; i < date.len && hyphens < 2; i++)
        if (text[i] == '-') {
            text[i] = ' ';
            hyphens++;
        }
    if (mime_date_parse(span_of(text, date.len), &parsed) != 0)
        return -EINVAL;
    *ret_seconds = parsed.unix_time;
    return 0;
}
