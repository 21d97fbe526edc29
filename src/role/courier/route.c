#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/percent.h"
#include "conf/way.h"
#include "proto/dns/rdata.h"
#include "role/courier/courier-state.h"
#include "trust/domain.h"

#define HOSTS_MAX 16U /* of one destination: who has more of them offers enough (RFC 5321 §5.1) */
#define NAME_ARENA_MAX 16384U

#define RELAY "relay"

static int name_set(char ret_name[DESTINATION_NAME_MAX], span_t text)
{
    if (text.len == 0 || text.len >= DESTINATION_NAME_MAX)
        return -EINVAL;
    memcpy(ret_name, text.at, text.len);
    ret_name[text.len] = '\0';
    return 0;
}

/* The row of [courier] routes for this domain: that of its own name, else that of the nearest parent. */
static bool find_way(const struct conf *conf, span_t domain, struct way *ret_way)
{
    span_t rest = span_of_text(conf->courier_routes);
    size_t best_len = 0;
    span_t word;
    while (conf_next_word(&rest, &word)) {
        struct way way;
        span_t name;
        if (way_parse_row(word, (uint16_t)conf->courier_port, &name, &way) < 0 || name.len <= best_len ||
            !way_covers(name, domain))
            continue;
        *ret_way = way;
        best_len = name.len;
    }
    return best_len > 0;
}

/* What goes the same way shares connections. A password is no part of the name: names are shown. */
static int way_name(const struct way *way, char ret_name[DESTINATION_NAME_MAX])
{
    static const char *const schemes[] = {
        [WAY_TLS_OFFERED] = "", [WAY_TLS_STARTTLS] = "smtp://", [WAY_TLS_IMPLICIT] = "smtps://"};
    AUTO_BUF struct buf name;
    buf_init(&name, DESTINATION_NAME_MAX);
    (void)buf_append_format(&name, "%c%s%.*s%s%.*s:%u", ROUTE_MARK, schemes[way->tls], SPAN_PRINT(way->user),
                            way->user.len > 0 ? "@" : "", SPAN_PRINT(way->host), way->port);
    return buf_fault(&name) < 0 ? -EINVAL : name_set(ret_name, buf_span(&name));
}

int route_name(const struct conf *conf, span_t domain, char ret_name[DESTINATION_NAME_MAX])
{
    AUTO(arena) struct arena *arena = NULL;
    struct way way;
    span_t normal = domain;
    if (domain.len == 0)
        return -EINVAL;
    int result = arena_new(NAME_ARENA_MAX, &arena);
    if (result == 0 && domain.at[0] != '[')
        result = domain_normal(domain, arena, &normal);
    if (result < 0)
        return result;
    if (find_way(conf, normal, &way))
        return way_name(&way, ret_name);
    return name_set(ret_name, conf->courier_relay[0] != '\0' ? SPAN(RELAY) : normal);
}

/* --- hosts ------------------------------------------------------------------------------------------------------ */

static int set_host(const struct way *way, struct arena *arena, struct route_host *ret_host)
{
    static const enum route_tls tls[] = {[WAY_TLS_OFFERED] = ROUTE_TLS_OFFERED,
                                         [WAY_TLS_STARTTLS] = ROUTE_TLS_STARTTLS,
                                         [WAY_TLS_IMPLICIT] = ROUTE_TLS_IMPLICIT};
    *ret_host = (struct route_host){.name = arena_text(arena, way->host), .port = way->port, .tls = tls[way->tls]};
    int result = percent_decode(way->user, arena, &ret_host->user);
    if (result == 0)
        result = percent_decode(way->password, arena, &ret_host->password);
    return ret_host->name == NULL ? -ENOMEM : result;
}

static int no_way(struct route *route)
{
    route->response = response_of(451, 3, 5, "The way set for that domain is no host and port");
    return ROUTE_LATER;
}

static int single(const struct way *way, struct arena *arena, struct route *ret_route)
{
    struct route_host *host = arena_alloc(arena, sizeof(*host));
    int result = host == NULL ? -ENOMEM : set_host(way, arena, host);
    ret_route->hosts = host;
    ret_route->count = result == 0 ? 1 : 0;
    return result < 0 ? result : (int)ROUTE_FOUND;
}

static uint16_t relay_port(const struct conf *conf)
{
    if (strcmp(conf->courier_relay_tls, "implicit") == 0)
        return 465;
    return conf->courier_relay_user[0] != '\0' ? 587 : 25;
}

/* The relay has settings of its own for what a URI says. */
static int by_relay(const struct conf *conf, struct arena *arena, struct route *ret_route)
{
    struct way way;
    if (way_parse(span_of_text(conf->courier_relay), relay_port(conf), &way) < 0)
        return no_way(ret_route);
    int result = single(&way, arena, ret_route);
    if (result != ROUTE_FOUND)
        return result;
    struct route_host *host = &ret_route->hosts[0];
    host->tls = strcmp(conf->courier_relay_tls, "optional") == 0   ? ROUTE_TLS_OFFERED
                : strcmp(conf->courier_relay_tls, "implicit") == 0 ? ROUTE_TLS_IMPLICIT
                                                                   : ROUTE_TLS_STARTTLS;
    if (conf->courier_relay_user[0] != '\0') {
        host->user = span_of_text(conf->courier_relay_user);
        host->password = span_of_text(conf->courier_relay_password);
    }
    return result;
}

static int by_route(const struct conf *conf, const char *name, struct arena *arena, struct route *ret_route)
{
    span_t rest = span_of_text(conf->courier_routes);
    char this_name[DESTINATION_NAME_MAX];
    span_t word;
    span_t domain;
    struct way way;
    while (conf_next_word(&rest, &word))
        if (way_parse_row(word, (uint16_t)conf->courier_port, &domain, &way) == 0 && way_name(&way, this_name) == 0 &&
            strcmp(this_name, name) == 0)
            return single(&way, arena, ret_route);
    return no_way(ret_route);
}

static int by_literal(const struct conf *conf, const char *name, struct arena *arena, struct route *ret_route)
{
    struct way way;
    return way_parse(span_of_text(name), (uint16_t)conf->courier_port, &way) < 0 ? no_way(ret_route)
                                                                                 : single(&way, arena, ret_route);
}

int route_fallback(const struct routing *routing, struct route_host *ret_host)
{
    struct way way;
    span_t place = span_of_text(routing->conf->courier_fallback);
    if (place.len == 0 || way_parse(place, (uint16_t)routing->conf->courier_port, &way) < 0)
        return ROUTE_NONE;
    int result = set_host(&way, routing->arena, ret_host);
    return result < 0 ? result : (int)ROUTE_FOUND;
}

/* In the order of their preference; among equals by chance (RFC 5321 §5.1). */
struct exchange {
    struct dns_mx mx;
    uint32_t order;
};

static void sort(struct exchange *exchanges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        random_bytes(&exchanges[i].order, sizeof(exchanges[i].order));
    for (size_t i = 1; i < count; i++) {
        struct exchange one = exchanges[i];
        size_t at = i;
        for (;
             at > 0 && (exchanges[at - 1].mx.preference > one.mx.preference ||
                        (exchanges[at - 1].mx.preference == one.mx.preference && exchanges[at - 1].order > one.order));
             at--)
            exchanges[at] = exchanges[at - 1];
        exchanges[at] = one;
    }
}

/* RFC 5321 §5.1: where we are one of them, those that are no better are left out, or mail would go around in a loop. */
static size_t before_us(const struct routing *routing, const struct exchange *exchanges, size_t count)
{
    span_t ours = span_of_text(routing->conf->server_hostname);
    for (size_t i = 0; i < count; i++) {
        if (!dns_name_equal(span_of_text(exchanges[i].mx.exchange), ours))
            continue;
        size_t kept = 0;
        while (kept < i && exchanges[kept].mx.preference < exchanges[i].mx.preference)
            kept++;
        return kept;
    }
    return count;
}

static int no_hosts(struct route *route, unsigned code, uint16_t subject, uint16_t detail, const char *text)
{
    route->response = response_of(code, subject, detail, text);
    return code >= 500 ? ROUTE_NONE : ROUTE_LATER;
}

/* The operator is to see why. */
static int no_answer(struct route *route, const struct dns_answer *answer)
{
    char text[SMTP_RESPONSE_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s: %s",
                   answer->outcome == DNS_BOGUS ? "What the DNS says of that domain is forged"
                                                : "The DNS does not say where that domain's mail goes",
                   answer->reason);
    return no_hosts(route, 451, 4, 3, text);
}

static int fill_hosts(const struct routing *routing, struct exchange *exchanges, size_t count, bool is_secure,
                      struct route *ret_route)
{
    sort(exchanges, count);
    count = before_us(routing, exchanges, count);
    if (count == 0) /* RFC 5321 §5.1 */
        return no_hosts(ret_route, 554, 4, 6, "Mail to that domain comes back here: it is a loop");
    ret_route->hosts = arena_alloc_array(routing->arena, count, sizeof(*ret_route->hosts));
    if (ret_route->hosts == NULL)
        return -ENOMEM;
    for (; ret_route->count < count && ret_route->count < HOSTS_MAX; ret_route->count++)
        ret_route->hosts[ret_route->count] = (struct route_host){.name = exchanges[ret_route->count].mx.exchange,
                                                                 .port = (uint16_t)routing->conf->courier_port,
                                                                 .is_secure = is_secure};
    return ROUTE_FOUND;
}

static int read_exchanges(const struct routing *routing, const struct dns_answer *answer, struct route *ret_route)
{
    struct exchange *exchanges = arena_alloc_array(routing->arena, answer->count, sizeof(*exchanges));
    size_t count = 0;
    bool is_null = false;
    if (exchanges == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < answer->count; i++) {
        int result = dns_read_mx(answer->records[i], routing->arena, &exchanges[count].mx);
        if (result == -ENOMEM)
            return result;
        bool is_none = result == 0 && exchanges[count].mx.exchange[0] == '\0'; /* RFC 7505 §3: beside others, nothing */
        is_null = is_null || is_none;
        count += result == 0 && !is_none;
    }
    if (count == 0 && is_null) /* RFC 7504 §3 */
        return no_hosts(ret_route, 556, 1, 10, "That domain takes no mail");
    if (count == 0)
        return no_hosts(ret_route, 451, 4, 4, "The mail servers of that domain cannot be read");
    return fill_hosts(routing, exchanges, count, answer->is_secure, ret_route);
}

static int by_domain(const struct routing *routing, const char *domain, struct route *ret_route)
{
    struct dns_answer answer;
    int result = routing->lookup->ask(routing->lookup->context, domain, DNS_MX, routing->arena, &answer);
    if (result == -EINVAL)
        return no_hosts(ret_route, 553, 1, 2, "There can be no mail domain of that name");
    if (result < 0)
        return result;
    switch (answer.outcome) {
    case DNS_FOUND:
        return read_exchanges(routing, &answer, ret_route);
    case DNS_NO_DATA: { /* RFC 5321 §5.1: the domain's own address is its mail server's */
        struct exchange implicit = {.mx = {.exchange = domain}};
        return fill_hosts(routing, &implicit, 1, answer.is_secure, ret_route);
    }
    case DNS_NO_NAME:
        return no_hosts(ret_route, 550, 1, 2, "There is no such domain");
    case DNS_FAILED:
    case DNS_BOGUS:
        break;
    }
    return no_answer(ret_route, &answer);
}

static size_t add_port(span_t text, uint16_t standard, uint16_t *port)
{
    struct way way;
    if (text.len == 0 || way_parse(text, standard, &way) < 0)
        return 0;
    *port = way.port;
    return 1;
}

size_t route_ports(const struct conf *conf, uint16_t *ports, size_t most)
{
    const uint16_t standard = (uint16_t)conf->courier_port;
    span_t rest = span_of_text(conf->courier_routes);
    span_t word;
    size_t count = 1;
    ports[0] = standard;
    count += add_port(span_of_text(conf->courier_relay), relay_port(conf), &ports[count]);
    count += add_port(span_of_text(conf->courier_fallback), standard, &ports[count]);
    while (count < most && conf_next_word(&rest, &word))
        count += add_port(span_trim(span_from(word, span_find_byte(word, '=') + 1)), standard, &ports[count]);
    return count;
}

int route_find(const struct routing *routing, const char *name, struct route *ret_route)
{
    *ret_route = (struct route){0};
    if (strcmp(name, RELAY) == 0)
        return by_relay(routing->conf, routing->arena, ret_route);
    if (name[0] == ROUTE_MARK)
        return by_route(routing->conf, name, routing->arena, ret_route);
    if (name[0] == '[')
        return by_literal(routing->conf, name, routing->arena, ret_route);
    return by_domain(routing, name, ret_route);
}

/* --- addresses -----------------------------------------------------------------------------------------------------
 */

static int ask_addresses(const struct routing *routing, const struct route_host *host, enum dns_type type,
                         struct address *addresses, size_t *count)
{
    struct dns_answer answer;
    int result = routing->lookup->ask(routing->lookup->context, host->name, type, routing->arena, &answer);
    if (result < 0)
        return result == -EINVAL ? (int)DNS_NO_NAME : result;
    for (size_t i = 0; answer.outcome == DNS_FOUND && i < answer.count && *count < ROUTE_ADDRESSES_MAX; i++)
        *count += address_set(&addresses[*count], answer.records[i], host->port);
    return (int)answer.outcome;
}

int route_addresses(const struct routing *routing, const struct route_host *host, struct address *ret_addresses,
                    size_t *ret_count, struct smtp_response *ret_response)
{
    *ret_count = 0;
    if (address_parse(&ret_addresses[0], span_of_text(host->name), host->port)) {
        *ret_count = 1;
        return 0;
    }
    int six = ask_addresses(routing, host, DNS_AAAA, ret_addresses, ret_count);
    if (six < 0)
        return six;
    int four = ask_addresses(routing, host, DNS_A, ret_addresses, ret_count);
    if (four < 0)
        return four;
    bool is_sure = (six == DNS_NO_NAME || six == DNS_NO_DATA) && (four == DNS_NO_NAME || four == DNS_NO_DATA);
    if (*ret_count == 0) /* RFC 5321 §5.1: a name without an address is an error, and may be one of today */
        *ret_response = is_sure ? response_of(550, 1, 2, "The mail server of that domain has no address")
                                : response_of(451, 4, 3, "The DNS does not say the address of the mail server");
    return *ret_count == 0 && (six == DNS_BOGUS || four == DNS_BOGUS) ? (int)ROUTE_BOGUS : 0;
}
