#include "trust/fixture.h"

#include "trust/dnsbl/dnsbl.h"

static const struct fixture_row rows[] = {
    {"2.0.0.127.bl.test", DNS_A, SPAN("\177\0\0\2"), DNS_FOUND, true, NULL},
    {"2.0.0.127.bl.test", DNS_TXT, SPAN("\11see\nthere"), DNS_FOUND, true, NULL},
    {"3.2.0.192.bl.test", DNS_A, SPAN("\177\377\377\376"), DNS_FOUND, true, NULL},
    {"4.2.0.192.bl.test", DNS_A, SPAN("\300\0\2\1"), DNS_FOUND, true, NULL},
    {"5.2.0.192.bl.test", DNS_A, SPAN(""), DNS_FAILED, true, NULL},
    {"6.2.0.192.bl.test", DNS_A, SPAN("\177\0\0\1"), DNS_FOUND, true, NULL},
    {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test", DNS_A, SPAN("\177\0\0\12"), DNS_FOUND,
     true, NULL},
};

/* RFC 5782 §2.1, §2.4, §5 */
static void lists_are_asked_by_the_reversed_address(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum dnsbl_outcome outcome;
        const char *words;
    } cases[] = {
        {"127.0.0.2", DNSBL_LISTED, "see"}, {"127.0.0.1", DNSBL_NOT_LISTED, ""},   {"192.0.2.3", DNSBL_UNKNOWN, ""},
        {"192.0.2.4", DNSBL_UNKNOWN, ""},   {"192.0.2.5", DNSBL_UNKNOWN, ""},      {"192.0.2.6", DNSBL_UNKNOWN, ""},
        {"2001:db8::2", DNSBL_LISTED, ""},  {"2001:db8::3", DNSBL_NOT_LISTED, ""},
    };
    struct fixture_zone zone = {rows, COUNT_OF(rows), 0};
    struct dns_lookup lookup = {fixture_ask, &zone};
    for (size_t at = 0; at < COUNT_OF(cases); at++) {
        AUTO(arena) struct arena *arena = NULL;
        struct ip ip;
        span_t words;
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        assert_true(ip_parse(span_of_text(cases[at].address), &ip));
        assert_int_equal(dnsbl_ask(&lookup, "bl.test", &ip, arena, &words), cases[at].outcome);
        assert_true(span_equal(words, span_of_text(cases[at].words)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_are_asked_by_the_reversed_address)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
