#include "role/courier/demand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/way.h"
#include "role/courier/courier-state.h"
#include "trust/dane/dane.h"

bool demand_is_required(const struct conf *conf, span_t domain)
{
    span_t rest = span_of_text(conf->courier_require_tls);
    span_t word;
    while (conf_next_word(&rest, &word))
        if (way_covers(word, domain))
            return true;
    return false;
}

bool demand_is_required_from(const struct conf *conf, span_t sender)
{
    span_t rest = span_of_text(conf->courier_require_tls_from);
    span_t domain = span_from(sender, span_find_last_byte(sender, '@') + 1);
    span_t word;
    while (conf_next_word(&rest, &word))
        if (sender.len > 0 && way_covers(word, span_find_byte(word, '@') < word.len ? sender : domain))
            return true;
    return false;
}

static int wait(struct smtp_response *response, uint16_t detail, const char *host, const char *why)
{
    char text[SMTP_RESPONSE_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s: %s", host, why);
    *response = response_of(451, 7, detail, text);
    return DEMAND_WAIT;
}

/* --- DANE ------------------------------------------------------------------------------------------------------- */

/* DNSSEC must vouch for the addresses, too (RFC 7672 §2.2.2); those of either family will do. */
static int ask_addresses(const struct routing *routing, const char *host, struct dns_answer *ret_answer)
{
    int result = routing->lookup->ask(routing->lookup->context, host, DNS_A, routing->arena, ret_answer);
    if (result < 0 || ret_answer->outcome == DNS_FOUND)
        return result;
    return routing->lookup->ask(routing->lookup->context, host, DNS_AAAA, routing->arena, ret_answer);
}

/* RFC 7672 §3.2.2: what a certificate that an authority of theirs vouches for may be named: the base name of the
 * records, or the domain the mail is for. */
static int authenticate(const struct demand_question *question, const struct dane_set *set, struct demand *demand)
{
    struct arena *arena = question->routing->arena;
    struct tls_record *records = arena_alloc_array(arena, set->count, sizeof(*records));
    const char **names = arena_alloc_array(arena, 1, sizeof(*names));
    if (records == NULL || names == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < set->count; i++)
        records[i] = (struct tls_record){.usage = set->records[i].usage,
                                         .selector = set->records[i].selector,
                                         .matching = set->records[i].matching,
                                         .data = set->records[i].data};
    names[0] = question->destination;
    demand->tls = (struct tls_demand){.proof = TLS_PROOF_DANE,
                                      .host = set->base,
                                      .names = names,
                                      .name_count = 1,
                                      .records = records,
                                      .record_count = set->count};
    return 0;
}

/* Whether DANE decides: *ret_decides. */
static int by_dane(const struct demand_question *question, struct demand *demand, bool *ret_decides,
                   struct smtp_response *ret_response)
{
    const struct routing *routing = question->routing;
    const struct route_host *host = question->host;
    struct dns_answer addresses;
    const enum tlsrpt_policy_type before = demand->policy;
    *ret_decides = false;
    demand->policy = TLSRPT_TLSA;
    int result = ask_addresses(routing, host->name, &addresses);
    if (result == 0 && (addresses.outcome == DNS_BOGUS || addresses.outcome == DNS_FAILED)) {
        *ret_decides = true;
        return wait(ret_response, 0, host->name, "what the DNS says of its addresses cannot be relied on");
    }
    struct dane_set *set = arena_alloc(routing->arena, sizeof(*set));
    if (set == NULL)
        return -ENOMEM;
    if (result == 0)
        result = dane_find(routing->lookup, host->name, &addresses, host->port, routing->arena, set);
    if (result < 0 || result == DANE_NONE) {
        demand->policy = before;
        return result == -EINVAL || result == DANE_NONE ? 0 : result;
    }
    *ret_decides = true;
    demand->must_encrypt = true;
    if (result == DANE_LATER)
        return wait(ret_response, 0, host->name, "whether it has TLSA records cannot be told now");
    return result == DANE_AUTHENTICATE ? authenticate(question, set, demand) : 0;
}

/* --- MTA-STS ---------------------------------------------------------------------------------------------------- */

/* RFC 8461 §4, §5: what an enforced policy wants is demanded; of one that is tested it is only looked at. */
static int by_policy(const struct demand_question *question, struct demand *demand, struct smtp_response *ret_response)
{
    const struct route_host *host = question->host;
    bool is_named = mtasts_policy_allows(question->policy, span_of_text(host->name));
    demand->policy = TLSRPT_STS;
    demand->is_unnamed = !is_named;
    if (question->policy->mode != MTASTS_ENFORCE)
        return DEMAND_SET;
    if (!is_named)
        return wait(ret_response, 8, host->name, "the domain's MTA-STS policy does not name this server");
    demand->must_encrypt = true;
    demand->is_vouched = true;
    demand->tls.proof = TLS_PROOF_NAMES;
    return DEMAND_SET;
}

/* --- what is set ------------------------------------------------------------------------------------------------ */

static int by_setting(const struct route_host *host, struct demand *demand)
{
    bool is_verified = host->tls != ROUTE_TLS_OFFERED;
    demand->must_encrypt = is_verified;
    demand->tls.proof = is_verified ? TLS_PROOF_NAMES : TLS_PROOF_NONE;
    return DEMAND_SET;
}

/* The proof that is asked for where nobody but our own settings ask for one. */
static void require(struct demand *demand)
{
    demand->must_encrypt = true;
    if (demand->tls.proof == TLS_PROOF_NONE)
        demand->tls.proof = TLS_PROOF_NAMES;
}

bool demand_is_set(const struct route_host *host)
{
    return host->tls != ROUTE_TLS_BY_POLICY;
}

int demand_find(const struct demand_question *question, struct demand *ret_demand, struct smtp_response *ret_response)
{
    const struct route_host *host = question->host;
    const char **names = arena_alloc_array(question->routing->arena, 1, sizeof(*names));
    struct address literal;
    bool decides = false;
    if (names == NULL)
        return -ENOMEM;
    names[0] = host->name;
    bool is_literal = address_parse(&literal, span_of_text(host->name), 0);
    bool is_set = demand_is_set(host);
    *ret_demand = (struct demand){.policy = TLSRPT_NO_POLICY_FOUND,
                                  .is_vouched = host->is_secure || is_set,
                                  .tls = {.host = is_literal ? "" : host->name, /* RFC 6066 §3: names alone */
                                          .names = names,
                                          .name_count = 1}};
    if (is_set)
        return by_setting(host, ret_demand);
    if (host->is_secure && !question->is_optional) {
        int result = by_dane(question, ret_demand, &decides, ret_response);
        if (result != 0)
            return result;
    }
    if (!decides && question->policy != NULL &&
        !question->is_optional) { /* RFC 8461 §2: where DANE speaks, it alone counts */
        int result = by_policy(question, ret_demand, ret_response);
        if (result != 0)
            return result;
    }
    if (demand_is_required(question->routing->conf, span_of_text(question->destination)))
        require(ret_demand);
    return DEMAND_SET;
}
