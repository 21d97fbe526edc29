#include "proto/http/request.h"

#include "proto/http/head.h"

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

static bool is_printable(span_t text)
{
    for (size_t at = 0; at < text.len; at++)
        if (!ascii_is_print(text.at[at]))
            return false;
    return text.len > 0;
}

/* "GET /path?query HTTP/1.1", of a path alone (RFC 9112 §3.2.1). */
static bool read_line(span_t line, struct http_request *request)
{
    span_t target;
    if (!span_cut(&line, ' ', &request->method) || !span_cut(&line, ' ', &target))
        return false;
    if (!is_printable(request->method) || !is_printable(target) || target.at[0] != '/')
        return false;
    request->path = span_upto(target, span_find_byte(target, '?'));
    request->is_old = span_equal(line, SPAN("HTTP/1.0"));
    return request->is_old || span_equal(line, SPAN("HTTP/1.1"));
}

/* RFC 9112 §3.2: one Host; RFC 9112 §6: a body says so by one of the others. */
static bool read_field(span_t line, struct http_request *request)
{
    size_t colon = span_find_byte(line, ':');
    span_t name = span_upto(line, colon);
    span_t value = span_trim(span_from(line, colon + 1));
    if (colon == line.len || !is_printable(name))
        return false;
    if (span_equal_nocase(name, SPAN("Transfer-Encoding")))
        return false;
    if (span_equal_nocase(name, SPAN("Content-Length")))
        return span_equal(value, SPAN("0"));
    if (!span_equal_nocase(name, SPAN("Host")))
        return true;
    if (request->host.at != NULL || !is_printable(value))
        return false;
    request->host = span_upto(value, span_find_byte(value, ':'));
    return true;
}

enum http_request_result http_request_parse(span_t input, struct http_request *ret_request)
{
    struct http_request request = {.host = SPAN_NONE};
    span_t rest = span_upto(input, HTTP_REQUEST_MAX);
    span_t line;
    bool is_first = true;
    for (size_t count = 0; count <= HTTP_FIELDS_MAX; count++) {
        if (!take_line(&rest, &line))
            return input.len >= HTTP_REQUEST_MAX ? HTTP_REQUEST_TOO_LARGE : HTTP_REQUEST_PARTIAL;
        if (!is_first && line.len == 0 && (request.is_old || request.host.at != NULL)) { /* RFC 9112 §3.2 */
            *ret_request = request;
            return HTTP_REQUEST_OK;
        }
        if (!(is_first ? read_line(line, &request) : read_field(line, &request)))
            return HTTP_REQUEST_MALFORMED;
        is_first = false;
    }
    return HTTP_REQUEST_TOO_LARGE;
}
