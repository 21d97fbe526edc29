#include "fetch/url.h"

#include <errno.h>

#include "base/buf.h"

#define HTTP_PORT 80U
#define HTTPS_PORT 443U

static bool is_plain(span_t text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (!ascii_is_print(text.at[at]))
            return false;
    }
    return true;
}

static int read_port(span_t text, uint16_t *port)
{
    uint64_t value;
    if (text.len == 0)
        return 0;
    if (span_to_u64(text, UINT16_MAX, &value) != 0 || value == 0)
        return -EINVAL;
    *port = (uint16_t)value;
    return 0;
}

/* Cuts "host:port" or "[address]:port"; what stands for the port, without the colon, may be empty. */
static bool split_authority(span_t authority, span_t *ret_host, span_t *ret_port)
{
    bool is_literal = span_starts(authority, SPAN("["));
    size_t end = is_literal ? span_find_byte(authority, ']') : span_find_byte(authority, ':');
    *ret_host = is_literal ? span_slice(authority, 1, end - 1) : span_upto(authority, end);
    if (is_literal && end == authority.len)
        return false;
    span_t rest = span_from(authority, end + (is_literal ? 1 : 0));
    *ret_port = span_from(rest, 1);
    return ret_host->len > 0 && (rest.len == 0 || rest.at[0] == ':');
}

static char *lower(span_t host, struct arena *arena)
{
    char *text = arena_text(arena, host);
    for (char *at = text; at != NULL && *at != 0; at++)
        *at = (char)ascii_lower((uint8_t)*at);
    return text;
}

int url_parse(span_t text, struct arena *arena, struct url *ret_url)
{
    struct url url = {.port = HTTP_PORT};
    span_t rest = span_upto(text, span_find_byte(text, '#'));
    if (text.len > URL_MAX || !is_plain(text))
        return -EINVAL;
    if (span_starts_nocase(rest, SPAN("https://"))) {
        url.is_tls = true;
        url.port = HTTPS_PORT;
    } else if (!span_starts_nocase(rest, SPAN("http://"))) {
        return -EINVAL;
    }
    rest = span_from(rest, url.is_tls ? 8 : 7);
    size_t slash = span_find_byte(rest, '/');
    size_t query = span_find_byte(rest, '?');
    size_t end = slash < query ? slash : query;
    span_t host;
    span_t port;
    if (span_find_byte(span_upto(rest, end), '@') < end || !split_authority(span_upto(rest, end), &host, &port))
        return -EINVAL;
    int result = read_port(port, &url.port);
    if (result != 0)
        return result;
    AUTO_BUF struct buf target;
    buf_init(&target, URL_MAX + 1);
    if (end == rest.len || rest.at[end] == '?')
        (void)buf_append_byte(&target, '/');
    (void)buf_append(&target, span_from(rest, end));
    url.host = lower(host, arena);
    url.target = arena_text(arena, buf_span(&target));
    if (buf_fault(&target) != 0 || url.host == NULL || url.target == NULL)
        return -ENOMEM;
    *ret_url = url;
    return 0;
}
