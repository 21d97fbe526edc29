#include "role/gate/site.h"

#include "trust/mtasts/policy.h"

#define DOMAIN_MAX 253U /* RFC 1035 §2.3.4 */

static bool is_domain(span_t name)
{
    for (size_t at = 0; at < name.len; at++)
        if (!ascii_is_alpha(name.at[at]) && !ascii_is_digit(name.at[at]) && name.at[at] != '-' && name.at[at] != '.')
            return false;
    return name.len > 0 && name.len <= DOMAIN_MAX;
}

enum site_page site_find(span_t host, span_t path, span_t *ret_domain)
{
    static const struct {
        const char *prefix; /* of the host's name */
        const char *path;
        enum site_page page;
    } rows[] = {
        {"mta-sts.", "/.well-known/mta-sts.txt", SITE_POLICY},
        {"autoconfig.", "/mail/config-v1.1.xml", SITE_AUTOCONFIG},
        {"", "/.well-known/autoconfig/mail/config-v1.1.xml", SITE_AUTOCONFIG},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        span_t prefix = span_of_text(rows[i].prefix);
        span_t domain = span_from(host, prefix.len);
        if (!span_starts_nocase(host, prefix) || !span_equal(path, span_of_text(rows[i].path)) || !is_domain(domain))
            continue;
        *ret_domain = domain;
        return rows[i].page;
    }
    return SITE_NONE;
}

/* The ways in, the best first: TLS from the first byte (RFC 8314 §3). */
static int write_autoconfig(const struct conf *conf, span_t domain, struct buf *text)
{
    static const struct {
        const char *element;
        const char *type;
        const char *security;
        enum ipc_service service;
    } rows[] = {
        {"incomingServer", "imap", "SSL", SERVICE_IMAP_TLS},
        {"incomingServer", "imap", "STARTTLS", SERVICE_IMAP},
        {"incomingServer", "pop3", "SSL", SERVICE_POP3_TLS},
        {"incomingServer", "pop3", "STARTTLS", SERVICE_POP3},
        {"outgoingServer", "smtp", "SSL", SERVICE_SUBMISSION_TLS},
        {"outgoingServer", "smtp", "STARTTLS", SERVICE_SUBMISSION},
    };
    buf_append_format(text,
                      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n"
                      "  <emailProvider id=\"%.*s\">\n    <domain>%.*s</domain>\n    <displayName>%.*s</displayName>\n",
                      SPAN_PRINT(domain), SPAN_PRINT(domain), SPAN_PRINT(domain));
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (conf_port(conf, rows[i].service) != 0)
            buf_append_format(text,
                              "    <%s type=\"%s\">\n      <hostname>%s</hostname>\n      <port>%u</port>\n"
                              "      <socketType>%s</socketType>\n      <username>%%EMAILADDRESS%%</username>\n"
                              "      <authentication>password-cleartext</authentication>\n    </%s>\n",
                              rows[i].element, rows[i].type, conf->server_hostname, conf_port(conf, rows[i].service),
                              rows[i].security, rows[i].element);
    return buf_append_text(text, "  </emailProvider>\n</clientConfig>\n");
}

int site_write(enum site_page page, const struct conf *conf, span_t domain, struct buf *text)
{
    return page == SITE_POLICY ? mtasts_policy_write(conf->https_sts_mode, conf->server_hostname, text)
                               : write_autoconfig(conf, domain, text);
}

const char *site_media_type(enum site_page page)
{
    return page == SITE_POLICY ? "text/plain" : "text/xml"; /* RFC 8461 §3.2 */
}
