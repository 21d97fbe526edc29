#include "trust/fixture.h"

#include <stdio.h>
#include <string.h>
#include "role/courier/courier-state.h"

#define DIGEST "0123456789abcdef0123456789abcdef"
#define EE SPAN("\3\1\1" DIGEST)
#define PKIX SPAN("\0\0\1" DIGEST)
#define HERE SPAN("\x7f\0\0\1")

static const struct fixture_row rows[] = {
    {"mx.good.test", DNS_A, HERE, DNS_FOUND, false, NULL},
    {"_25._tcp.mx.good.test", DNS_TLSA, EE, DNS_FOUND, false, NULL},
    {"mx.pkix.test", DNS_A, HERE, DNS_FOUND, false, NULL},
    {"_25._tcp.mx.pkix.test", DNS_TLSA, PKIX, DNS_FOUND, false, NULL},
    {"mx.none.test", DNS_A, HERE, DNS_FOUND, false, NULL},
    {"mx.slow.test", DNS_A, HERE, DNS_FOUND, false, NULL},
    {"_25._tcp.mx.slow.test", DNS_TLSA, SPAN(""), DNS_FAILED, false, NULL},
    {"mx.bogus.test", DNS_A, SPAN(""), DNS_BOGUS, false, NULL},
    {"mx.bogus.test", DNS_AAAA, SPAN(""), DNS_BOGUS, false, NULL},
    {"mx.six.test", DNS_AAAA, SPAN("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), DNS_FOUND, false, NULL},
    {"_25._tcp.mx.six.test", DNS_TLSA, EE, DNS_FOUND, false, NULL},
    {"mx.unsigned.test", DNS_A, HERE, DNS_FOUND, true, NULL},
    {"_25._tcp.mx.unsigned.test", DNS_TLSA, EE, DNS_FOUND, false, NULL},
};

static struct fixture_zone zone = {rows, COUNT_OF(rows), 0};
static const struct dns_lookup lookup = {fixture_ask, &zone};

#define POLICY(mode, mx) SPAN("version: STSv1\nmode: " mode "\nmx: " mx "\nmax_age: 86400\n")

struct row {
    const char *destination, *host;
    bool is_secure;
    enum route_tls tls;
    span_t policy; /* MTA-STS, or none */
    const char *require_tls;
    enum demand_outcome outcome;
    unsigned detail; /* of 4.7.x, where it waits */
    enum tlsrpt_policy_type policy_type;
    bool must_encrypt, is_vouched, is_unnamed;
    enum tls_proof proof;
};

#define NOTHING                                                                                                        \
    {                                                                                                                  \
        0                                                                                                              \
    }
#define ENFORCED POLICY("enforce", "*.none.test")
#define ELSEWHERE POLICY("enforce", "mx.else.test")
#define TRIED POLICY("testing", "mx.else.test")
#define WAITS(detail, type) DEMAND_WAIT, detail, type
#define SETS(type) DEMAND_SET, 0, type
#define FREE TLSRPT_NO_POLICY_FOUND
#define BY_POLICY ROUTE_TLS_BY_POLICY
#define OFFERED ROUTE_TLS_OFFERED
#define STARTTLS ROUTE_TLS_STARTTLS
#define IMPLICIT ROUTE_TLS_IMPLICIT

/* doc/tls.md; the third column: DNSSEC vouches for the way to the host. */
static const struct row cases[] = {
    /* RFC 7672 §2.2 */
    {"good.test", "mx.good.test", true, BY_POLICY, NOTHING, "", SETS(TLSRPT_TLSA), true, true, false, TLS_PROOF_DANE},
    {"six.test", "mx.six.test", true, BY_POLICY, NOTHING, "", SETS(TLSRPT_TLSA), true, true, false, TLS_PROOF_DANE},
    {"pkix.test", "mx.pkix.test", true, BY_POLICY, NOTHING, "", SETS(TLSRPT_TLSA), true, true, false, TLS_PROOF_NONE},
    {"none.test", "mx.none.test", true, BY_POLICY, NOTHING, "", SETS(FREE), false, true, false, TLS_PROOF_NONE},
    /* RFC 7672 §2.2.1: records of a host that nobody vouches for do not count */
    {"good.test", "mx.good.test", false, BY_POLICY, NOTHING, "", SETS(FREE), false, false, false, TLS_PROOF_NONE},
    {"u.test", "mx.unsigned.test", true, BY_POLICY, NOTHING, "", SETS(FREE), false, true, false, TLS_PROOF_NONE},
    /* RFC 7672 §2.1.1 */
    {"slow.test", "mx.slow.test", true, BY_POLICY, NOTHING, "", WAITS(0, TLSRPT_TLSA), 0, 0, 0, TLS_PROOF_NONE},
    {"bogus.test", "mx.bogus.test", true, BY_POLICY, NOTHING, "", WAITS(0, TLSRPT_TLSA), 0, 0, 0, TLS_PROOF_NONE},
    /* RFC 8461 §2: DANE alone counts where it speaks; §4, §5 where it does not */
    {"good.test", "mx.good.test", true, BY_POLICY, ELSEWHERE, "", SETS(TLSRPT_TLSA), true, true, false, TLS_PROOF_DANE},
    {"none.test", "mx.none.test", true, BY_POLICY, ENFORCED, "", SETS(TLSRPT_STS), true, true, false, TLS_PROOF_NAMES},
    {"none.test", "mx.none.test", false, BY_POLICY, ENFORCED, "", SETS(TLSRPT_STS), true, true, false, TLS_PROOF_NAMES},
    {"none.test", "mx.none.test", false, BY_POLICY, ELSEWHERE, "", WAITS(8, TLSRPT_STS), 0, 0, true, TLS_PROOF_NONE},
    {"none.test", "mx.none.test", false, BY_POLICY, TRIED, "", SETS(TLSRPT_STS), false, false, true, TLS_PROOF_NONE},
    /* what is set */
    {"none.test", "mx.none.test", false, BY_POLICY, NOTHING, "none.test", SETS(FREE), true, false, 0, TLS_PROOF_NAMES},
    {"a.none.test", "mx.none.test", false, BY_POLICY, NOTHING, ".NONE.test", SETS(FREE), true, 0, 0, TLS_PROOF_NAMES},
    {"none.test", "mx.none.test", false, BY_POLICY, NOTHING, ".none.test", SETS(FREE), false, 0, 0, TLS_PROOF_NONE},
    {"xnone.test", "mx.none.test", false, BY_POLICY, NOTHING, "none.test", SETS(FREE), false, 0, 0, TLS_PROOF_NONE},
    {"pkix.test", "mx.pkix.test", true, BY_POLICY, NOTHING, "pkix.test", SETS(TLSRPT_TLSA), true, 1, 0,
     TLS_PROOF_NAMES},
    {"good.test", "mx.good.test", true, BY_POLICY, NOTHING, "good.test", SETS(TLSRPT_TLSA), true, 1, 0, TLS_PROOF_DANE},
    {"relay", "mx.good.test", false, STARTTLS, NOTHING, "", SETS(FREE), true, true, false, TLS_PROOF_NAMES},
    {"relay", "mx.good.test", false, IMPLICIT, NOTHING, "", SETS(FREE), true, true, false, TLS_PROOF_NAMES},
    {"relay", "mx.good.test", false, OFFERED, NOTHING, "", SETS(FREE), false, true, false, TLS_PROOF_NONE},
    {">a:25", "a", false, OFFERED, NOTHING, "", SETS(FREE), false, true, false, TLS_PROOF_NONE},
    {"[192.0.2.1]", "192.0.2.1", false, OFFERED, NOTHING, "", SETS(FREE), false, true, false, TLS_PROOF_NONE},
};

static void ask(const struct row *row, bool is_optional, struct arena *arena, struct demand *demand,
                struct smtp_response *response, int *ret_result)
{
    char require_tls[32];
    (void)snprintf(require_tls, sizeof(require_tls), "%s", row->require_tls);
    const struct conf conf = {.courier_require_tls = require_tls};
    const struct routing routing = {.conf = &conf, .lookup = &lookup, .arena = arena};
    const struct route_host host = {.name = row->host, .port = 25, .tls = row->tls, .is_secure = row->is_secure};
    struct mtasts_policy policy;
    bool has_policy = row->policy.len > 0;
    if (has_policy)
        assert_int_equal(mtasts_policy_parse(row->policy, &policy), MTASTS_OK);
    const struct demand_question question = {.routing = &routing,
                                             .destination = row->destination,
                                             .host = &host,
                                             .policy = has_policy ? &policy : NULL,
                                             .is_optional = is_optional};
    *ret_result = demand_find(&question, demand, response);
}

static void dane_then_policies_then_settings_say_what_tls_has_to_prove(void **state)
{
    (void)state;
    for (size_t at = 0; at < COUNT_OF(cases); at++) {
        const struct row *row = &cases[at];
        AUTO(arena) struct arena *arena = NULL;
        struct demand demand;
        struct smtp_response response = {0};
        int result = -1;
        assert_int_equal(arena_new(1U << 20, &arena), 0);
        ask(row, false, arena, &demand, &response, &result);
        assert_int_equal(result, row->outcome);
        assert_int_equal(demand.policy, row->policy_type);
        if (result == DEMAND_WAIT) {
            assert_int_equal(response.code, 451);
            assert_int_equal(response.subject, 7);
            assert_int_equal(response.detail, row->detail);
            assert_int_equal(demand.is_unnamed, row->is_unnamed);
            continue;
        }
        assert_int_equal(demand.must_encrypt, row->must_encrypt);
        assert_int_equal(demand.is_vouched, row->is_vouched);
        assert_int_equal(demand.is_unnamed, row->is_unnamed);
        assert_int_equal(demand.tls.proof, row->proof);
        assert_int_equal(demand.tls.record_count, row->proof == TLS_PROOF_DANE ? 1 : 0);
    }
}

/* RFC 7672 §3.2.2: an authority's certificate is for the base name or the domain; RFC 6066 §3: no address as SNI. */
static void the_names_are_those_of_the_host_and_with_dane_of_the_domain_too(void **state)
{
    (void)state;
    static const struct {
        size_t row;
        const char *host, *name;
    } names[] = {
        {0, "mx.good.test", "good.test"}, {3, "mx.none.test", "mx.none.test"}, {COUNT_OF(cases) - 1, "", "192.0.2.1"}};
    for (size_t at = 0; at < COUNT_OF(names); at++) {
        AUTO(arena) struct arena *arena = NULL;
        struct demand demand;
        struct smtp_response response = {0};
        int result = -1;
        assert_int_equal(arena_new(1U << 20, &arena), 0);
        ask(&cases[names[at].row], false, arena, &demand, &response, &result);
        assert_int_equal(result, DEMAND_SET);
        assert_string_equal(demand.tls.host, names[at].host);
        assert_int_equal(demand.tls.name_count, 1);
        assert_string_equal(demand.tls.names[0], names[at].name);
    }
}

/* RFC 8460 §3: a report on TLS goes out whatever TLS is like. */
static void what_goes_whatever_policies_ask_for_is_asked_for_nothing(void **state)
{
    (void)state;
    for (size_t at = 0; at < COUNT_OF(cases); at++) {
        AUTO(arena) struct arena *arena = NULL;
        struct demand demand;
        struct smtp_response response = {0};
        int result = -1;
        if (cases[at].require_tls[0] != '\0' || cases[at].tls != BY_POLICY)
            continue;
        assert_int_equal(arena_new(1U << 20, &arena), 0);
        ask(&cases[at], true, arena, &demand, &response, &result);
        assert_int_equal(result, DEMAND_SET);
        assert_false(demand.must_encrypt);
        assert_int_equal(demand.tls.proof, TLS_PROOF_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dane_then_policies_then_settings_say_what_tls_has_to_prove),
        cmocka_unit_test(the_names_are_those_of_the_host_and_with_dane_of_the_domain_too),
        cmocka_unit_test(what_goes_whatever_policies_ask_for_is_asked_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
