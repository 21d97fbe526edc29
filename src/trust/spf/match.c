#include <errno.h>

#include "proto/dns/rdata.h"
#include "trust/domain.h"
#include "trust/reverse.h"
#include "trust/spf/check-state.h"

#define EXCHANGES_MAX 10U /* RFC 7208 §4.6.4 */
#define EXPANDED_MAX 8192U

int spf_count_void(struct spf_check *check, const struct dns_answer *answer)
{
    if (answer->outcome != DNS_NO_DATA && answer->outcome != DNS_NO_NAME)
        return SPF_MATCH_NO;
    if (++check->voids <= SPF_VOIDS_MAX)
        return SPF_MATCH_NO;
    check->reason = "too many of the record's names have no records"; /* RFC 7208 §4.6.4 */
    return SPF_MATCH_PERMERROR;
}

/* The name of the domain itself goes before one below it, that before any other (RFC 7208 §5.5, §7.3). */
int spf_need_validated(struct spf_check *check, span_t text)
{
    if (text.at == NULL || !spf_macro_has(text, 'p'))
        return 0;
    struct reverse reverse;
    int result = reverse_find(check->lookup, &check->request->client, check->arena, &reverse);
    if (result != 0)
        return result;
    unsigned best = 0;
    check->macros.validated = SPAN_NONE;
    for (size_t i = 0; i < reverse.count; i++) {
        span_t name = reverse.names[i];
        unsigned rank = domain_equal(name, check->macros.domain)      ? 3
                        : domain_is_below(name, check->macros.domain) ? 2
                                                                      : 1;
        if (rank > best) {
            best = rank;
            check->macros.validated = name;
        }
    }
    return 0;
}

int spf_target(struct spf_check *check, span_t spec, span_t *ret_name)
{
    if (spec.at == NULL) {
        *ret_name = check->macros.domain;
        return 0;
    }
    AUTO_BUF struct buf text;
    buf_init(&text, EXPANDED_MAX);
    int result = spf_need_validated(check, spec);
    if (result == 0)
        result = spf_macro_expand(spec, &check->macros, &text);
    if (result == -ENOBUFS) { /* far too long for a name */
        *ret_name = SPAN_NONE;
        return 0;
    }
    if (result != 0)
        return result;
    span_t name = buf_span(&text);
    if (span_ends(name, SPAN(".")))
        name = span_upto(name, name.len - 1);
    while (name.len > DNS_NAME_MAX && span_find_byte(name, '.') < name.len)
        name = span_from(name, span_find_byte(name, '.') + 1);
    return arena_copy(check->arena, name, ret_name);
}

/* Asks, counts what is void, and makes SPF_MATCH_TEMPERROR of what was not answered (RFC 7208 §5). */
static int ask(struct spf_check *check, span_t name, enum dns_type type, struct dns_answer *ret_answer)
{
    int result = trust_ask(check->lookup, name, type, check->arena, ret_answer);
    if (result != 0)
        return result;
    if (trust_is_temporary(ret_answer)) {
        check->reason = "the DNS gave no answer";
        return SPF_MATCH_TEMPERROR;
    }
    return spf_count_void(check, ret_answer);
}

static bool holds_client(const struct spf_check *check, const struct dns_answer *answer, const struct spf_term *term)
{
    const struct ip *client = &check->request->client;
    for (size_t i = 0; i < answer->count; i++) {
        struct ip found;
        if (ip_of_record(answer->records[i], &found) &&
            ip_matches(client, &found, client->is_six ? term->bits_six : term->bits_four))
            return true;
    }
    return false;
}

static enum dns_type address_type(const struct spf_check *check)
{
    return check->request->client.is_six ? DNS_AAAA : DNS_A;
}

static int match_a(struct spf_check *check, const struct spf_term *term, span_t name)
{
    struct dns_answer answer;
    int result = ask(check, name, address_type(check), &answer);
    if (result != 0)
        return result;
    return holds_client(check, &answer, term) ? SPF_MATCH_YES : SPF_MATCH_NO;
}

static int match_mx(struct spf_check *check, const struct spf_term *term, span_t name)
{
    struct dns_answer exchanges;
    int result = ask(check, name, DNS_MX, &exchanges);
    if (result != 0)
        return result;
    if (exchanges.count > EXCHANGES_MAX) {
        check->reason = "an MX of the record has too many exchanges";
        return SPF_MATCH_PERMERROR;
    }
    for (size_t i = 0; i < exchanges.count; i++) {
        struct dns_mx mx;
        struct dns_answer answer;
        result = dns_read_mx(exchanges.records[i], check->arena, &mx);
        if (result == -EBADMSG || (result == 0 && mx.exchange[0] == 0))
            continue;
        if (result == 0)
            result = trust_ask_text(check->lookup, mx.exchange, address_type(check), check->arena, &answer);
        if (result != 0)
            return result;
        if (holds_client(check, &answer, term))
            return SPF_MATCH_YES;
        if (trust_is_temporary(&answer))
            return SPF_MATCH_TEMPERROR;
        result = spf_count_void(check, &answer);
        if (result != 0)
            return result;
    }
    return SPF_MATCH_NO;
}

/* An error is no match, as it is in the hands of the client's own provider (RFC 7208 §5.5). */
static int match_ptr(struct spf_check *check, span_t name)
{
    struct reverse reverse;
    int result = reverse_find(check->lookup, &check->request->client, check->arena, &reverse);
    if (result != 0)
        return result;
    for (size_t i = 0; i < reverse.count; i++)
        if (domain_is_below(reverse.names[i], name))
            return SPF_MATCH_YES;
    return SPF_MATCH_NO;
}

static int match_exists(struct spf_check *check, span_t name)
{
    struct dns_answer answer;
    int result = ask(check, name, DNS_A, &answer); /* A even for IPv6 (RFC 7208 §5.7) */
    if (result != 0)
        return result;
    return answer.outcome == DNS_FOUND ? SPF_MATCH_YES : SPF_MATCH_NO;
}

static int match_address(const struct spf_check *check, const struct spf_term *term)
{
    struct ip network;
    (void)ip_of_record(span_of(term->address, term->mechanism == SPF_IP6 ? 16 : 4), &network);
    unsigned bits = network.is_six ? term->bits_six : term->bits_four;
    return ip_matches(&check->request->client, &network, bits) ? SPF_MATCH_YES : SPF_MATCH_NO;
}

int spf_match(struct spf_check *check, const struct spf_term *term)
{
    if (term->mechanism == SPF_ALL)
        return SPF_MATCH_YES;
    if (term->mechanism == SPF_IP4 || term->mechanism == SPF_IP6)
        return match_address(check, term);
    span_t name;
    int result = spf_target(check, term->domain, &name);
    if (result != 0)
        return result;
    if (term->mechanism == SPF_A)
        return match_a(check, term, name);
    if (term->mechanism == SPF_MX)
        return match_mx(check, term, name);
    return term->mechanism == SPF_PTR ? match_ptr(check, name) : match_exists(check, name);
}
