#include "trust/authres/authres.h"

/* White space, line ends and comments, which may stand in each other (RFC 5322 §3.2.2). */
static span_t skip_space(span_t rest)
{
    unsigned depth = 0;
    size_t at = 0;
    for (; at < rest.len; at++) {
        uint8_t byte = rest.at[at];
        if (byte == '(')
            depth++;
        else if (byte == ')' && depth > 0)
            depth--;
        else if (byte == '\\' && depth > 0)
            at++;
        else if (depth == 0 && !ascii_is_space(byte) && byte != '\r' && byte != '\n')
            break;
    }
    return span_from(rest, at);
}

static bool is_token(uint8_t byte)
{
    return (ascii_is_print(byte) || byte >= 0x80) && span_find_byte(SPAN("()<>@,;:\\\"/[]?="), byte) == 15;
}

/* A token or a quoted string, without its quotes. */
static span_t take_word(span_t *rest)
{
    *rest = skip_space(*rest);
    if (rest->len > 0 && rest->at[0] == '"') {
        size_t at = 1;
        while (at < rest->len && rest->at[at] != '"')
            at += rest->at[at] == '\\' ? 2 : 1;
        span_t word = span_slice(*rest, 1, at < rest->len ? at - 1 : rest->len);
        *rest = span_from(*rest, at + 1);
        return word;
    }
    size_t len = 0;
    while (len < rest->len && is_token(rest->at[len]))
        len++;
    span_t word = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return word;
}

/* As whoever reads it may take it: an escape in quotes stands for what it escapes, and white space for nothing. */
static bool is_name(span_t word, span_t host)
{
    size_t count = 0;
    for (size_t at = 0; at < word.len; at++) {
        if (ascii_is_space(word.at[at]) || word.at[at] == '\r' || word.at[at] == '\n')
            continue;
        if (word.at[at] == '\\' && at + 1 < word.len)
            at++;
        if (count == host.len)
            return word.at[at] == '.' && at + 1 == word.len;
        if (ascii_lower(word.at[at]) != ascii_lower(host.at[count++]))
            return false;
    }
    return count == host.len;
}

bool authres_is_of(span_t value, span_t host)
{
    return is_name(take_word(&value), host);
}

/* Up to the next ";" that is in no comment and no quotes. */
static span_t take_piece(span_t *rest)
{
    span_t start = *rest;
    span_t at = *rest;
    while (at.len > 0 && at.at[0] != ';') {
        size_t before = at.len;
        (void)take_word(&at);
        at = skip_space(at);
        if (at.len == before)
            at = span_from(at, 1);
    }
    *rest = span_from(at, 1);
    return span_upto(start, start.len - at.len);
}

span_t authres_results(span_t value)
{
    (void)take_piece(&value);
    return value;
}

bool authres_next(span_t *rest, struct authres_item *ret_item)
{
    while (rest->len > 0) {
        span_t piece = take_piece(rest);
        span_t method = take_word(&piece);
        piece = skip_space(piece);
        if (span_starts(piece, SPAN("/"))) { /* the method's version */
            piece = span_from(piece, 1);
            (void)take_word(&piece);
            piece = skip_space(piece);
        }
        if (method.len == 0 || !span_starts(piece, SPAN("=")))
            continue;
        piece = span_from(piece, 1);
        *ret_item = (struct authres_item){method, take_word(&piece)};
        return true;
    }
    return false;
}
