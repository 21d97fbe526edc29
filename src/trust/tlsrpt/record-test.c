#include "trust/fixture.h"

#include "trust/tlsrpt/record.h"

/* RFC 8460 §3 */
static void records_say_where_reports_go(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum tlsrpt_record outcome;
        size_t count;
        bool is_https; /* the first */
        const char *first;
    } rows[] = {
        {"v=TLSRPTv1;rua=mailto:reports@example.com", TLSRPT_RECORD_FOUND, 1, false, "reports@example.com"},
        {"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", TLSRPT_RECORD_FOUND, 1, true,
         "https://reporting.example.com/v1/tlsrpt"},
        {"v=TLSRPTv1; rua=mailto:a%2cb@x.test , https://x.test/", TLSRPT_RECORD_FOUND, 2, false, "a,b@x.test"},
        {"v=TLSRPTv1; rua=mailto:a@x.test?subject=x", TLSRPT_RECORD_FOUND, 1, false, "a@x.test"},
        {"v=TLSRPTv1; rua=ftp://x.test/,mailto:a@x.test", TLSRPT_RECORD_FOUND, 1, false, "a@x.test"},
        {"v=TLSRPTv1; rua=mailto:a%0d%0ab@x.test", TLSRPT_RECORD_NONE, 0, false, NULL},
        {"v=TLSRPTv1; rua=mailto:a%4", TLSRPT_RECORD_NONE, 0, false, NULL},
        {"v=TLSRPTv1; rua=http://x.test/", TLSRPT_RECORD_NONE, 0, false, NULL},
        {"v=TLSRPTv1; rua=", TLSRPT_RECORD_NONE, 0, false, NULL},
        {"v=TLSRPTv1", TLSRPT_RECORD_NONE, 0, false, NULL},
        {"v=TLSRPTv2; rua=mailto:a@x.test", TLSRPT_RECORD_NONE, 0, false, NULL},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO(arena) struct arena *arena = NULL;
        struct tlsrpt_addresses addresses = {0};
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        assert_int_equal(tlsrpt_record_parse(span_of_text(rows[row].text), arena, &addresses), rows[row].outcome);
        assert_int_equal(addresses.count, rows[row].count);
        if (rows[row].count == 0)
            continue;
        assert_int_equal(addresses.list[0].is_https, rows[row].is_https);
        assert_true(span_equal(addresses.list[0].address, span_of_text(rows[row].first)));
    }
}

static void the_record_is_found_below_its_own_name(void **state)
{
    (void)state;
    static const struct fixture_row records[] = {
        {"_smtp._tls.x.test", DNS_TXT, SPAN("\12v=TLSRPTv1\24;rua=mailto:a@x.test"), DNS_FOUND, true, NULL},
        {"_smtp._tls.slow.test", DNS_TXT, SPAN(""), DNS_FAILED, true, NULL},
    };
    struct fixture_zone zone = {records, COUNT_OF(records), 0};
    struct dns_lookup lookup = {fixture_ask, &zone};
    AUTO(arena) struct arena *arena = NULL;
    struct tlsrpt_addresses addresses = {0};
    assert_int_equal(arena_new(1U << 16, &arena), 0);
    assert_int_equal(tlsrpt_record_find(&lookup, "x.test", arena, &addresses), TLSRPT_RECORD_FOUND);
    assert_int_equal(tlsrpt_record_find(&lookup, "slow.test", arena, &addresses), TLSRPT_RECORD_LATER);
    assert_int_equal(tlsrpt_record_find(&lookup, "none.test", arena, &addresses), TLSRPT_RECORD_NONE);
    assert_int_equal(zone.asked, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_say_where_reports_go),
        cmocka_unit_test(the_record_is_found_below_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
