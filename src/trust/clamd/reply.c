#include "trust/clamd/reply.h"

/* What stands before " FOUND" is quoted in replies and headers: no more than a name can be in it. */
static span_t name_in(span_t text)
{
    size_t len = 0;
    while (len < text.len && len < CLAMD_NAME_MAX && ascii_is_print(text.at[len]))
        len++;
    return span_upto(text, len);
}

enum clamd_result clamd_reply_parse(span_t reply, span_t *ret_words)
{
    span_t line = span_trim(span_upto(reply, span_find_byte(reply, 0)));
    span_t words = span_starts(line, SPAN("stream: ")) ? span_from(line, 8) : line;
    *ret_words = words;
    if (span_equal(words, SPAN("OK")) && words.len < line.len)
        return CLAMD_CLEAN;
    if (!span_ends(words, SPAN(" FOUND")) || words.len == line.len)
        return CLAMD_FAULT;
    *ret_words = name_in(span_upto(words, words.len - 6));
    return CLAMD_FOUND;
}
