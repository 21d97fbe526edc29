#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "conf/row.h"
#include "conf/way.h"

#define ADDRESS_MAX INET6_ADDRSTRLEN

typedef bool reader(span_t word);

static unsigned address_bits(span_t text)
{
    char room[ADDRESS_MAX];
    uint8_t bytes[16];
    if (text.len == 0 || text.len >= sizeof(room) || span_find_byte(text, 0) < text.len)
        return 0;
    memcpy(room, text.at, text.len);
    room[text.len] = '\0';
    return inet_pton(AF_INET, room, bytes) == 1 ? 32 : inet_pton(AF_INET6, room, bytes) == 1 ? 128 : 0;
}

static bool is_network(span_t word)
{
    size_t slash = span_find_byte(word, '/');
    unsigned most = address_bits(span_upto(word, slash));
    uint64_t bits;
    return most > 0 && (slash == word.len || span_to_u64(span_from(word, slash + 1), most, &bits) == 0);
}

static bool is_auto_or_off(span_t word)
{
    return word.len == 0 || span_equal(word, SPAN("auto")) || span_equal(word, SPAN("off"));
}

static bool is_rspamd(span_t word)
{
    return is_auto_or_off(word) || (span_starts_nocase(word, SPAN("http://")) && word.len > 7);
}

static bool is_clamd(span_t word)
{
    size_t colon = span_find_last_byte(word, ':');
    uint64_t port;
    if (is_auto_or_off(word) || (word.len > 0 && word.at[0] == '/'))
        return true;
    return address_bits(span_upto(word, colon)) > 0 &&
           span_to_u64(span_from(word, colon + 1), UINT16_MAX, &port) == 0 && port > 0;
}

static bool is_way(span_t word)
{
    struct way way;
    return word.len == 0 || way_parse(word, 1, &way) == 0;
}

static bool is_route(span_t word)
{
    span_t domain;
    struct way way;
    return way_parse_row(word, 1, &domain, &way) == 0;
}

/* A relay's login and TLS are settings of their own. */
static bool is_plain_way(span_t word)
{
    return is_way(word) && span_find(word, SPAN("://")) == word.len;
}

static bool is_address(span_t word)
{
    return address_bits(word) > 0;
}

/* As dns/servers.h reads it. */
static bool is_resolver(span_t word)
{
    size_t at = span_find_byte(word, '@');
    uint64_t port;
    return span_equal_nocase(word, SPAN("system")) || span_equal_nocase(word, SPAN("recursive")) ||
           (is_address(span_upto(word, at)) &&
            (at == word.len || (span_to_u64(span_from(word, at + 1), UINT16_MAX, &port) == 0 && port > 0)));
}

static bool is_mailbox_or_empty(span_t word)
{
    size_t at = span_find_last_byte(word, '@');
    return word.len == 0 || (at > 0 && at + 1 < word.len);
}

/* Texts of which not every one makes sense: what a misread word would silently switch off is refused instead. */
static const struct {
    size_t offset;
    reader *reads;
    bool is_list; /* of words, separated by commas */
    const char *wanted;
} checks[] = {
    {offsetof(struct conf, trust_local), is_network, true, "networks such as 192.0.2.0/24 or 2001:db8::/32"},
    {offsetof(struct conf, dns_resolver), is_resolver, true,
     "system, recursive, or addresses such as 192.0.2.1 or ::1@5353"},
    {offsetof(struct conf, courier_relay), is_plain_way, false,
     "host, host:port or [address]:port, with a port from 1 to 65535"},
    {offsetof(struct conf, courier_source), is_address, true, "addresses such as 192.0.2.1"},
    {offsetof(struct conf, reports_from), is_mailbox_or_empty, false, "an address: name@domain"},
    {offsetof(struct conf, reports_contact), is_mailbox_or_empty, false, "an address: name@domain"},
    {offsetof(struct conf, abuse_operator), is_mailbox_or_empty, false, "an address: name@domain"},
    {offsetof(struct conf, filter_rspamd), is_rspamd, false,
     "auto, off, or a URL such as http://127.0.0.1:11333 (https is not spoken to rspamd)"},
    {offsetof(struct conf, filter_clamd), is_clamd, false, "auto, off, a socket's path, or ADDRESS:PORT"},
    {offsetof(struct conf, courier_routes), is_route, true,
     "DOMAIN=HOST:PORT, or DOMAIN=smtp://USER:PASSWORD@HOST:PORT (smtps:// for TLS from the first byte; in a password "
     "%2C, %40 and %25 for a comma, an at sign and a percent sign)"},
    {offsetof(struct conf, courier_fallback), is_way, false,
     "HOST:PORT, or smtp://USER:PASSWORD@HOST:PORT (smtps:// for TLS from the first byte; in a password %40 and %25 "
     "for "
     "an at sign and a percent sign)"},
};

/* Of a word that may have a password in it, what follows that. */
static span_t without_login(span_t word)
{
    size_t at = span_find_last_byte(word, '@');
    return at < word.len && span_find(word, SPAN("://")) < at ? span_from(word, at + 1) : word;
}

const char *conf_row_misread(const struct conf_row *row, span_t value, span_t *ret_word)
{
    for (size_t at = 0; at < COUNT_OF(checks); at++) {
        if (checks[at].offset != row->offset)
            continue;
        span_t rest = value;
        span_t word = value;
        *ret_word = without_login(value);
        if (!checks[at].is_list)
            return checks[at].reads(value) ? NULL : checks[at].wanted;
        while (conf_next_word(&rest, &word)) {
            *ret_word = without_login(word);
            if (!checks[at].reads(word))
                return checks[at].wanted;
        }
    }
    return NULL;
}
