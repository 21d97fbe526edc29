#include "proto/http/head.h"

/* RFC 9110 §5.6.2 */
static bool is_token_byte(uint8_t byte)
{
    return ascii_is_alpha(byte) || ascii_is_digit(byte) ||
           (byte != 0 && span_find_byte(SPAN("!#$%&'*+-.^_`|~"), byte) < SPAN("!#$%&'*+-.^_`|~").len);
}

static bool is_token(span_t text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (!is_token_byte(text.at[at]))
            return false;
    }
    return text.len > 0;
}

/* RFC 9110 §5.5: what could end a line early, or a text, is no value. */
static bool is_value(span_t text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (text.at[at] == 0 || text.at[at] == '\r' || text.at[at] == '\n')
            return false;
    }
    return true;
}

static bool take_line(span_t *rest, span_t *ret_line)
{
    size_t end = span_find_byte(*rest, '\n');
    if (end == rest->len)
        return false;
    span_t line = span_upto(*rest, end);
    *rest = span_from(*rest, end + 1);
    *ret_line = span_ends(line, SPAN("\r")) ? span_upto(line, line.len - 1) : line;
    return true;
}

static bool split_field(span_t line, span_t *ret_name, span_t *ret_value)
{
    size_t colon = span_find_byte(line, ':');
    *ret_name = span_upto(line, colon);
    *ret_value = span_trim(span_from(line, colon + 1));
    return colon < line.len && is_token(*ret_name) && is_value(*ret_value);
}

/* "HTTP/1.1 200 OK" (RFC 9112 §4); the reason may be missing with its space. */
static bool read_status(span_t line, struct http_response *response)
{
    uint64_t status;
    if (!span_starts(line, SPAN("HTTP/1.")) || line.len < 12 || !ascii_is_digit(line.at[7]) || line.at[8] != ' ')
        return false;
    if (span_to_u64(span_slice(line, 9, 3), 599, &status) != 0 || status < 100)
        return false;
    if (line.len > 12 && (line.at[12] != ' ' || !is_value(line)))
        return false;
    response->status = (unsigned)status;
    response->is_last = line.at[7] == '0';
    return true;
}

static bool has_token(span_t list, span_t token)
{
    span_t piece;
    while (span_cut(&list, ',', &piece)) {
        if (span_equal_nocase(span_trim(piece), token))
            return true;
    }
    return false;
}

struct framing_seen {
    bool has_length;
    bool has_coding;
};

static bool read_length(span_t value, struct http_response *response, struct framing_seen *seen)
{
    uint64_t length;
    if (span_to_u64(value, INT64_MAX, &length) != 0 || (seen->has_length && length != response->length))
        return false;
    response->length = length;
    seen->has_length = true;
    return true;
}

/* Only "chunked", once: we ask for no other coding (RFC 9112 §7). */
static bool read_coding(span_t value, struct framing_seen *seen)
{
    if (seen->has_coding || !span_equal_nocase(value, SPAN("chunked")))
        return false;
    seen->has_coding = true;
    return true;
}

static bool read_field(span_t line, struct http_response *response, struct framing_seen *seen)
{
    span_t name;
    span_t value;
    if (!split_field(line, &name, &value))
        return false;
    if (span_equal_nocase(name, SPAN("Content-Length")))
        return read_length(value, response, seen);
    if (span_equal_nocase(name, SPAN("Transfer-Encoding")))
        return read_coding(value, seen);
    if (span_equal_nocase(name, SPAN("Connection")) && has_token(value, SPAN("close")))
        response->is_last = true;
    return true;
}

/* RFC 9112 §6.3; a length beside a coding is an attack or a fault, and refused. */
static bool set_framing(struct http_response *response, const struct framing_seen *seen)
{
    if (seen->has_length && seen->has_coding)
        return false;
    if (response->status < 200 || response->status == 204 || response->status == 304)
        response->framing = HTTP_NO_BODY;
    else if (seen->has_coding)
        response->framing = HTTP_CHUNKED;
    else
        response->framing = seen->has_length ? HTTP_LENGTH : HTTP_UNTIL_CLOSE;
    response->is_last = response->is_last || response->framing == HTTP_UNTIL_CLOSE;
    return true;
}

static enum http_head_result read_fields(span_t rest, span_t input, struct http_response *response)
{
    struct framing_seen seen = {false, false};
    span_t fields = rest;
    span_t line;
    for (size_t count = 0; count <= HTTP_FIELDS_MAX; count++) {
        size_t before = rest.len;
        if (!take_line(&rest, &line))
            return input.len >= HTTP_HEAD_MAX ? HTTP_HEAD_MALFORMED : HTTP_HEAD_PARTIAL;
        if (line.len == 0) {
            response->fields = span_upto(fields, fields.len - before);
            response->head_len = input.len - rest.len;
            bool is_good = response->head_len <= HTTP_HEAD_MAX && set_framing(response, &seen);
            return is_good ? HTTP_HEAD_OK : HTTP_HEAD_MALFORMED;
        }
        if (!read_field(line, response, &seen))
            return HTTP_HEAD_MALFORMED;
    }
    return HTTP_HEAD_MALFORMED;
}

enum http_head_result http_response_parse(span_t input, struct http_response *ret_response)
{
    struct http_response response = {0};
    span_t rest = input;
    span_t line;
    if (!take_line(&rest, &line))
        return input.len >= HTTP_HEAD_MAX ? HTTP_HEAD_MALFORMED : HTTP_HEAD_PARTIAL;
    if (!read_status(line, &response))
        return HTTP_HEAD_MALFORMED;
    enum http_head_result result = read_fields(rest, input, &response);
    if (result == HTTP_HEAD_OK)
        *ret_response = response;
    return result;
}

span_t http_field(span_t fields, const char *name)
{
    span_t line;
    while (take_line(&fields, &line)) {
        span_t found;
        span_t value;
        if (split_field(line, &found, &value) && span_equal_nocase(found, span_of_text(name)))
            return value;
    }
    return SPAN_NONE;
}
