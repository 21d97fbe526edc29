#include "trust/fixture.h"

#include "trust/mtasts/record.h"

/* RFC 8461 §3.1 */
static void records_are_read_as_the_rfc_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *id; /* NULL: not a record */
    } rows[] = {
        {"v=STSv1; id=20160831085700Z;", "20160831085700Z"},
        {"v=STSv1;id=1", "1"},
        {"v=STSv1; id=abc; ext=x", "abc"},
        {"v=STSv1; id=123456789012345678901234567890123;", NULL},
        {"v=STSv1; id=a-b;", NULL},
        {"v=STSv1; id=;", NULL},
        {"v=STSv1;", NULL},
        {"id=1; v=STSv1", NULL},
        {"v=STSv2; id=1", NULL},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        span_t id = SPAN_NONE;
        assert_int_equal(mtasts_record_parse(span_of_text(rows[row].text), &id), rows[row].id != NULL);
        assert_true(span_equal(id, span_of_text(rows[row].id)));
    }
}

static void a_domain_has_just_one_record(void **state)
{
    (void)state;
    static const struct fixture_row records[] = {
        {"_mta-sts.one.test", DNS_TXT, SPAN("\5other"), DNS_FOUND, true, NULL},
        {"_mta-sts.one.test", DNS_TXT, SPAN("\10v=STSv1;\5 id=7"), DNS_FOUND, true, NULL},
        {"_mta-sts.two.test", DNS_TXT, SPAN("\15v=STSv1; id=1"), DNS_FOUND, true, NULL},
        {"_mta-sts.two.test", DNS_TXT, SPAN("\15v=STSv1; id=2"), DNS_FOUND, true, NULL},
        {"_mta-sts.broken.test", DNS_TXT, SPAN("\77v=STSv1; id=1"), DNS_FOUND, true, NULL},
        {"_mta-sts.slow.test", DNS_TXT, SPAN(""), DNS_FAILED, false, NULL},
        {"_mta-sts.bogus.test", DNS_TXT, SPAN(""), DNS_BOGUS, false, NULL},
    };
    static const struct {
        const char *domain;
        enum mtasts_record outcome;
    } cases[] = {
        {"one.test", MTASTS_RECORD_FOUND},   {"two.test", MTASTS_RECORD_NONE},   {"none.test", MTASTS_RECORD_NONE},
        {"broken.test", MTASTS_RECORD_NONE}, {"slow.test", MTASTS_RECORD_LATER}, {"bogus.test", MTASTS_RECORD_LATER},
    };
    struct fixture_zone zone = {records, COUNT_OF(records), 0};
    struct dns_lookup lookup = {fixture_ask, &zone};
    for (size_t at = 0; at < COUNT_OF(cases); at++) {
        AUTO(arena) struct arena *arena = NULL;
        span_t id = SPAN_NONE;
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        assert_int_equal(mtasts_record_find(&lookup, cases[at].domain, arena, &id), cases[at].outcome);
        if (cases[at].outcome == MTASTS_RECORD_FOUND)
            assert_true(span_equal(id, SPAN("7")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_as_the_rfc_writes_them),
        cmocka_unit_test(a_domain_has_just_one_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
