#include "conf/way.h"

#include <errno.h>

#define PORT_IMPLICIT 465U
#define PORT_LOGIN 587U

/* HOST, HOST:PORT, [ADDRESS], [ADDRESS]:PORT, ADDRESS */
static int parse_place(span_t text, uint16_t standard, struct way *way)
{
    uint64_t port = standard;
    size_t colon = span_find_last_byte(text, ':');
    size_t bracket = span_find_last_byte(text, ']');
    span_t host = text;
    bool has_port = colon < text.len && (bracket == text.len ? span_find_byte(text, ':') == colon : colon > bracket);
    if (has_port) {
        host = span_upto(text, colon);
        if (span_to_u64(span_from(text, colon + 1), UINT16_MAX, &port) < 0 || port == 0)
            return -EINVAL;
    }
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = span_slice(host, 1, host.len - 2);
    if (span_starts_nocase(host, SPAN("IPv6:"))) /* RFC 5321 §4.1.3 */
        host = span_from(host, 5);
    for (size_t at = 0; at < host.len; at++)
        if (span_find_byte(SPAN(" /[]"), host.at[at]) < 4)
            return -EINVAL;
    if (host.len == 0)
        return -EINVAL;
    way->host = host;
    way->port = (uint16_t)port;
    return 0;
}

static bool is_encoded(span_t text)
{
    for (size_t at = 0; at < text.len; at++)
        if (text.at[at] == '%' && (ascii_hex_value(at + 1 < text.len ? text.at[at + 1] : 0) < 0 ||
                                   ascii_hex_value(at + 2 < text.len ? text.at[at + 2] : 0) < 0))
            return false;
    return text.len > 0;
}

/* USER:PASSWORD@, if it is there, off the front of *text. */
static int cut_login(span_t *text, struct way *way)
{
    size_t at = span_find_last_byte(*text, '@');
    if (at == text->len)
        return 0;
    span_t login = span_upto(*text, at);
    *text = span_from(*text, at + 1);
    bool has_both = span_cut(&login, ':', &way->user);
    way->password = login;
    return has_both && is_encoded(way->user) && is_encoded(way->password) ? 0 : -EINVAL;
}

int way_parse(span_t text, uint16_t port, struct way *ret_way)
{
    static const span_t starttls = SPAN("smtp://");
    static const span_t implicit = SPAN("smtps://");
    *ret_way = (struct way){.tls = WAY_TLS_OFFERED};
    if (span_starts_nocase(text, implicit)) {
        ret_way->tls = WAY_TLS_IMPLICIT;
        text = span_from(text, implicit.len);
        port = PORT_IMPLICIT;
    } else if (span_starts_nocase(text, starttls)) {
        ret_way->tls = WAY_TLS_STARTTLS;
        text = span_from(text, starttls.len);
    }
    if (ret_way->tls != WAY_TLS_OFFERED && cut_login(&text, ret_way) < 0)
        return -EINVAL;
    if (ret_way->tls == WAY_TLS_STARTTLS && ret_way->user.len > 0)
        port = PORT_LOGIN;
    return parse_place(text, port, ret_way);
}

int way_parse_row(span_t row, uint16_t port, span_t *ret_domain, struct way *ret_way)
{
    size_t equals = span_find_byte(row, '=');
    *ret_domain = span_trim(span_upto(row, equals));
    return equals == row.len || ret_domain->len == 0 ? -EINVAL
                                                     : way_parse(span_trim(span_from(row, equals + 1)), port, ret_way);
}

bool way_covers(span_t setting, span_t domain)
{
    bool is_below = setting.len > 0 && setting.at[0] == '.' && domain.len > setting.len &&
                    span_equal_nocase(span_from(domain, domain.len - setting.len), setting);
    return is_below || span_equal_nocase(domain, setting);
}
