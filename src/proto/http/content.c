#include "proto/http/content.h"

void http_content_init(struct http_content *content, const struct http_response *response)
{
    *content = (struct http_content){.state = HTTP_DONE, .left = response->length};
    switch (response->framing) {
    case HTTP_NO_BODY:
        break;
    case HTTP_LENGTH:
        content->state = response->length > 0 ? HTTP_IN_PLAIN : HTTP_DONE;
        break;
    case HTTP_CHUNKED:
        content->state = HTTP_AT_SIZE;
        break;
    case HTTP_UNTIL_CLOSE:
        content->state = HTTP_IN_PLAIN;
        content->is_until_close = true;
        content->left = UINT64_MAX;
        break;
    }
}

static enum http_content_result give(struct http_content *content, span_t *input, span_t *ret_piece)
{
    if (input->len == 0)
        return HTTP_CONTENT_MORE;
    size_t len = content->left < input->len ? (size_t)content->left : input->len;
    *ret_piece = span_upto(*input, len);
    *input = span_from(*input, len);
    if (!content->is_until_close)
        content->left -= len;
    if (content->left == 0)
        content->state = content->state == HTTP_IN_CHUNK ? HTTP_AT_END : HTTP_DONE;
    return HTTP_CONTENT_PIECE;
}

/* RFC 9112 §7.1: a size of hexadecimal digits, extensions after ";" are passed over. */
static bool read_size(span_t line, uint64_t *ret_size)
{
    span_t digits = span_trim(span_upto(line, span_find_byte(line, ';')));
    uint64_t size = 0;
    if (digits.len == 0 || digits.len > 15)
        return false;
    for (size_t at = 0; at < digits.len; at++) {
        uint8_t byte = ascii_lower(digits.at[at]);
        bool is_digit = ascii_is_digit(byte);
        if (!is_digit && (byte < 'a' || byte > 'f'))
            return false;
        size = size << 4 | (uint64_t)(is_digit ? byte - '0' : byte - 'a' + 10);
    }
    *ret_size = size;
    return true;
}

/* A whole line between chunks, CRLF alone ending it: what else would end it here could hide a message in another. */
static enum http_content_result take_line(span_t *input, span_t *ret_line)
{
    size_t end = span_find(*input, SPAN("\r\n"));
    size_t bare = span_find_byte(*input, '\n');
    if (end == input->len) {
        bool is_lost = bare < input->len || input->len >= HTTP_CHUNK_LINE_MAX;
        return is_lost ? HTTP_CONTENT_MALFORMED : HTTP_CONTENT_MORE;
    }
    if (bare < end || end > HTTP_CHUNK_LINE_MAX)
        return HTTP_CONTENT_MALFORMED;
    *ret_line = span_upto(*input, end);
    *input = span_from(*input, end + 2);
    return HTTP_CONTENT_PIECE;
}

static bool follow(struct http_content *content, span_t line)
{
    switch (content->state) {
    case HTTP_AT_SIZE:
        if (!read_size(line, &content->left))
            return false;
        content->state = content->left > 0 ? HTTP_IN_CHUNK : HTTP_AT_TRAILER;
        return true;
    case HTTP_AT_END:
        content->state = HTTP_AT_SIZE;
        return line.len == 0;
    case HTTP_AT_TRAILER:
        content->trailer_len += line.len;
        content->state = line.len == 0 ? HTTP_DONE : HTTP_AT_TRAILER;
        return content->trailer_len <= HTTP_TRAILER_MAX;
    case HTTP_IN_PLAIN:
    case HTTP_IN_CHUNK:
    case HTTP_DONE:
        break;
    }
    return false;
}

enum http_content_result http_content_next(struct http_content *content, span_t *input, span_t *ret_piece)
{
    while (content->state != HTTP_DONE) {
        if (content->state == HTTP_IN_PLAIN || content->state == HTTP_IN_CHUNK)
            return give(content, input, ret_piece);
        span_t line;
        enum http_content_result result = take_line(input, &line);
        if (result != HTTP_CONTENT_PIECE)
            return result;
        if (!follow(content, line))
            return HTTP_CONTENT_MALFORMED;
    }
    return HTTP_CONTENT_END;
}

bool http_content_may_end(const struct http_content *content)
{
    return content->state == HTTP_DONE || content->is_until_close;
}
