#include "base/test.h"

#include <errno.h>
#include "trust/tlsrpt/report.h"

static struct arena *arena;

static int open_arena(void **state)
{
    (void)state;
    return arena_new(1U << 20, &arena);
}

static int close_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const char *const sts_lines[] = {"version: STSv1", "mode: testing", "mx: *.mail.company-y.example",
                                        "max_age: 86400"};
static const char *const sts_hosts[] = {"*.mail.company-y.example"};
static const struct tlsrpt_failure sts_failures[] = {
    {.type = TLSRPT_CERTIFICATE_EXPIRED,
     .sending_ip = "2001:db8:abcd:0012::1",
     .mx_host = "mx1.mail.company-y.example",
     .sessions = 100},
    {.type = TLSRPT_STARTTLS_NOT_SUPPORTED,
     .sending_ip = "2001:db8:abcd:0013::1",
     .mx_host = "mx2.mail.company-y.example",
     .mx_helo = "mx2",
     .receiving_ip = "203.0.113.56",
     .reason_code = "a \"quoted\" r\xc3\xa9son",
     .sessions = 200},
};
static const struct tlsrpt_policy policies[] = {
    {.type = TLSRPT_STS,
     .domain = "company-y.example",
     .string_count = COUNT_OF(sts_lines),
     .strings = sts_lines,
     .mx_count = 1,
     .mx_hosts = sts_hosts,
     .successful = 5326,
     .failed = 300,
     .failure_count = COUNT_OF(sts_failures),
     .failures = sts_failures},
    {.type = TLSRPT_NO_POLICY_FOUND, .domain = "other.example", .successful = 1},
};
static const struct tlsrpt_report report = {
    .organization = "Company-X",
    .contact = "sts-reporting@company-x.example",
    .id = "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
    .start = 1459468800, /* 2016-04-01 */
    .end = 1459555199,
    .policy_count = COUNT_OF(policies),
    .policies = policies,
};

static void assert_text(const char *one, const char *other)
{
    assert_int_equal(one == NULL, other == NULL);
    if (one != NULL && other != NULL)
        assert_string_equal(one, other);
}

static void assert_failure(const struct tlsrpt_failure *one, const struct tlsrpt_failure *other)
{
    assert_int_equal(one->type, other->type);
    assert_int_equal(one->sessions, other->sessions);
    assert_text(one->sending_ip, other->sending_ip);
    assert_text(one->mx_host, other->mx_host);
    assert_text(one->mx_helo, other->mx_helo);
    assert_text(one->receiving_ip, other->receiving_ip);
    assert_text(one->reason_code, other->reason_code);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf json = {0};
    buf_init(&json, TLSRPT_REPORT_MAX);
    assert_int_equal(tlsrpt_report_write(&report, &json), 0);
    assert_true(span_find(buf_span(&json), SPAN("\"2016-04-01T00:00:00Z\"")) < buf_len(&json));
    struct tlsrpt_report copy;
    assert_int_equal(tlsrpt_report_read(buf_span(&json), arena, &copy), TLSRPT_OK);
    assert_text(copy.organization, report.organization);
    assert_text(copy.contact, report.contact);
    assert_text(copy.id, report.id);
    assert_int_equal(copy.start, report.start);
    assert_int_equal(copy.end, report.end);
    assert_int_equal(copy.policy_count, report.policy_count);
    for (size_t at = 0; at < copy.policy_count; at++) {
        const struct tlsrpt_policy *policy = &copy.policies[at];
        assert_int_equal(policy->type, policies[at].type);
        assert_text(policy->domain, policies[at].domain);
        assert_int_equal(policy->successful, policies[at].successful);
        assert_int_equal(policy->failed, policies[at].failed);
        assert_int_equal(policy->string_count, policies[at].string_count);
        assert_int_equal(policy->mx_count, policies[at].mx_count);
        for (size_t line = 0; line < policy->string_count; line++)
            assert_text(policy->strings[line], policies[at].strings[line]);
        assert_int_equal(policy->failure_count, policies[at].failure_count);
        for (size_t failure = 0; failure < policy->failure_count; failure++)
            assert_failure(&policy->failures[failure], &policies[at].failures[failure]);
    }
}

static void a_report_larger_than_its_buffer_says_so(void **state)
{
    (void)state;
    AUTO_BUF struct buf json = {0};
    buf_init(&json, 200);
    assert_int_equal(tlsrpt_report_write(&report, &json), -ENOBUFS);
}

#define RANGE                                                                                                          \
    "\"date-range\":{\"start-datetime\":\"2016-04-01T02:00:00+02:00\",\"end-datetime\":\"2016-04-01T23:59:59.5Z\"}"
#define POLICY "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":\"one\",\"policy-domain\":\"a.example\"}}"

static void reports_of_others_are_read_within_limits(void **state)
{
    (void)state;
    static const struct {
        span_t json;
        int result;
        size_t policies;
    } rows[] = {
        {SPAN("{" RANGE ",\"policies\":[" POLICY "]}"), TLSRPT_OK, 1},
        {SPAN("{" RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"new\"}},3,null," POLICY "]}"), TLSRPT_OK, 1},
        {SPAN("{" RANGE ",\"policies\":[]}"), TLSRPT_OK, 0},
        {SPAN("{" RANGE "}"), TLSRPT_MALFORMED, 0},
        {SPAN("{\"policies\":[]}"), TLSRPT_MALFORMED, 0},
        {SPAN("{" RANGE ",\"policies\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}"), TLSRPT_MALFORMED, 0},
        {SPAN("{" RANGE ",\"policies\":[],\"x\":\"[[[[[[[[[[[[[[[[[[[[\\\"[\"}"), TLSRPT_OK, 0},
        {SPAN("[]"), TLSRPT_MALFORMED, 0},
        {SPAN("{"), TLSRPT_MALFORMED, 0},
        {SPAN(""), TLSRPT_MALFORMED, 0},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct tlsrpt_report copy = {0};
        assert_int_equal(tlsrpt_report_read(rows[row].json, arena, &copy), rows[row].result);
        if (rows[row].result != TLSRPT_OK)
            continue;
        assert_int_equal(copy.policy_count, rows[row].policies);
        assert_int_equal(copy.start, 1459468800);
        assert_int_equal(copy.end, 1459555199);
    }
}

static void a_report_of_too_many_policies_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf json = {0};
    buf_init(&json, TLSRPT_REPORT_MAX);
    assert_int_equal(buf_append_text(&json, "{" RANGE ",\"policies\":["), 0);
    for (size_t at = 0; at <= TLSRPT_POLICIES_MAX; at++)
        assert_int_equal(buf_append_text(&json, at == 0 ? "{}" : ",{}"), 0);
    assert_int_equal(buf_append_text(&json, "]}"), 0);
    struct tlsrpt_report copy;
    assert_int_equal(tlsrpt_report_read(buf_span(&json), arena, &copy), TLSRPT_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_again, open_arena, close_arena),
        cmocka_unit_test(a_report_larger_than_its_buffer_says_so),
        cmocka_unit_test_setup_teardown(reports_of_others_are_read_within_limits, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_report_of_too_many_policies_is_refused, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
