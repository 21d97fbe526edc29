#include "trust/fixture.h"

#include <string.h>
#include "trust/dane/dane.h"

#define DIGEST "0123456789abcdef0123456789abcdef"
#define ED25519 "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" /* before a key of 32 bytes (RFC 8410 §4) */
#define EE SPAN("\3\1\1" DIGEST)
#define TA SPAN("\2\0\2" DIGEST DIGEST)

static const struct fixture_row rows[] = {
    {"_25._tcp.mx.good.test", DNS_TLSA, EE, DNS_FOUND, false, NULL},
    {"_25._tcp.mx.good.test", DNS_TLSA, TA, DNS_FOUND, false, NULL},
    {"_25._tcp.mx.good.test", DNS_TLSA, SPAN("\0\0\1" DIGEST), DNS_FOUND, false, NULL},
    {"_25._tcp.mx.pkix.test", DNS_TLSA, SPAN("\1\1\1" DIGEST), DNS_FOUND, false, NULL},
    {"_25._tcp.mx.insecure.test", DNS_TLSA, EE, DNS_FOUND, true, NULL},
    {"_25._tcp.mx.bogus.test", DNS_TLSA, SPAN(""), DNS_BOGUS, false, NULL},
    {"_25._tcp.mx.slow.test", DNS_TLSA, SPAN(""), DNS_FAILED, false, NULL},
    {"_25._tcp.end.test", DNS_TLSA, TA, DNS_FOUND, false, NULL},
    {"_25._tcp.both.test", DNS_TLSA, EE, DNS_FOUND, false, NULL},
    {"both.test", DNS_CNAME, SPAN("\3end\4test\0"), DNS_FOUND, false, NULL},
    {"half.test", DNS_CNAME, SPAN("\3out\4test\0"), DNS_FOUND, false, NULL},
    {"_25._tcp.half.test", DNS_TLSA, EE, DNS_FOUND, false, NULL},
    {"lost.test", DNS_CNAME, SPAN("\3out\4test\0"), DNS_FOUND, true, NULL},
    {"_25._tcp.lost.test", DNS_TLSA, EE, DNS_FOUND, false, NULL},
};

static struct fixture_zone zone = {rows, COUNT_OF(rows), 0};
static const struct dns_lookup lookup = {fixture_ask, &zone};

/* RFC 7672 §2.2.2, §3.1 */
static void records_bind_a_host_where_dnssec_vouches_for_them(void **state)
{
    (void)state;
    static const struct {
        const char *host, *canonical;
        bool is_secure; /* the addresses */
        enum dane_outcome outcome;
        size_t count;
        const char *base;
    } cases[] = {
        {"mx.good.test", "mx.good.test", true, DANE_AUTHENTICATE, 2, "mx.good.test"},
        {"MX.good.test", "mx.good.test", true, DANE_AUTHENTICATE, 2, "MX.good.test"},
        {"mx.good.test", "", true, DANE_AUTHENTICATE, 2, "mx.good.test"},
        {"mx.good.test", "mx.good.test", false, DANE_NONE, 0, NULL},
        {"mx.pkix.test", "mx.pkix.test", true, DANE_ENCRYPT, 0, "mx.pkix.test"},
        {"mx.insecure.test", "mx.insecure.test", true, DANE_NONE, 0, NULL},
        {"mx.bogus.test", "mx.bogus.test", true, DANE_LATER, 0, NULL},
        {"mx.slow.test", "mx.slow.test", true, DANE_LATER, 0, NULL},
        {"mx.none.test", "mx.none.test", true, DANE_NONE, 0, NULL},
        {"both.test", "end.test", true, DANE_AUTHENTICATE, 1, "end.test"},
        {"mx.good.test", "other.test", true, DANE_AUTHENTICATE, 2, "mx.good.test"},
        {"half.test", "out.test", false, DANE_AUTHENTICATE, 1, "half.test"},
        {"lost.test", "out.test", false, DANE_NONE, 0, NULL},
    };
    for (size_t row = 0; row < COUNT_OF(cases); row++) {
        AUTO(arena) struct arena *arena = NULL;
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        struct dns_answer addresses = {
            .outcome = DNS_FOUND, .is_secure = cases[row].is_secure, .canonical = cases[row].canonical, .reason = ""};
        struct dane_set set;
        assert_int_equal(dane_find(&lookup, cases[row].host, &addresses, 25, arena, &set), cases[row].outcome);
        assert_int_equal(set.count, cases[row].count);
        if (cases[row].base != NULL)
            assert_string_equal(set.base, cases[row].base);
        if (cases[row].outcome == DANE_LATER)
            assert_true(strlen(set.reason) > 0);
    }
}

/* RFC 6698 §2.1, RFC 7672 §3.1.3 */
static void only_records_that_mail_servers_may_use_are_usable(void **state)
{
    (void)state;
    static const struct {
        struct dns_tlsa record;
        bool is_usable;
    } cases[] = {
        {{3, 1, 1, SPAN(DIGEST)}, true},          {{3, 0, 2, SPAN(DIGEST DIGEST)}, true},
        {{2, 0, 0, SPAN("der")}, false},          {{3, 1, 0, SPAN(ED25519 DIGEST)}, true},
        {{3, 0, 0, SPAN(ED25519 DIGEST)}, false}, {{3, 1, 0, SPAN(ED25519 DIGEST "x")}, false},
        {{0, 1, 1, SPAN(DIGEST)}, false},         {{1, 1, 1, SPAN(DIGEST)}, false},
        {{4, 1, 1, SPAN(DIGEST)}, false},         {{3, 2, 1, SPAN(DIGEST)}, false},
        {{3, 1, 3, SPAN(DIGEST)}, false},         {{3, 1, 1, SPAN("short")}, false},
        {{3, 1, 2, SPAN(DIGEST)}, false},         {{3, 1, 0, SPAN("")}, false},
    };
    for (size_t row = 0; row < COUNT_OF(cases); row++)
        assert_int_equal(dane_is_usable(&cases[row].record), cases[row].is_usable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_bind_a_host_where_dnssec_vouches_for_them),
        cmocka_unit_test(only_records_that_mail_servers_may_use_are_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
