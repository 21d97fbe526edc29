#include "base/test.h"

#include "base/buf.h"
#include "trust/mtasts/policy.h"

#define GOOD                                                                                                           \
    "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\n"

/* RFC 8461 §3.2, its own example among them. */
static void policies_are_read_as_the_rfc_writes_them(void **state)
{
    (void)state;
    static const struct {
        span_t text;
        enum mtasts_result result;
        enum mtasts_mode mode;
        uint32_t max_age;
        size_t patterns;
    } rows[] = {
        {SPAN(GOOD "max_age: 604800\r\n"), MTASTS_OK, MTASTS_ENFORCE, 604800, 3},
        {SPAN("version: STSv1\nmode: testing\nmx: a.example\nmax_age: 86400"), MTASTS_OK, MTASTS_TESTING, 86400, 1},
        {SPAN("version: STSv1\nmode: none\nmax_age: 86400\n"), MTASTS_OK, MTASTS_NONE, 86400, 0},
        {SPAN("version:STSv1\nmode:enforce\nmx:a.example\nmax_age:1\nnew_key: x\n"), MTASTS_OK, MTASTS_ENFORCE, 1, 1},
        {SPAN("max_age: 5\nmx: a.example\nmode: enforce\nmode: none\nversion: STSv1\n"), MTASTS_OK, MTASTS_ENFORCE, 5,
         1},
        {SPAN(GOOD "max_age: 99999999\r\n"), MTASTS_OK, MTASTS_ENFORCE, MTASTS_AGE_MAX, 3},
        {SPAN(GOOD), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN(GOOD "max_age: 9999999999\r\n"), MTASTS_OK, MTASTS_ENFORCE, MTASTS_AGE_MAX, 3},
        {SPAN(GOOD "max_age: 10000000000\r\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv1\nmode: enforce\nmax_age: 1\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv1\nmode: enforce\nmx: a..example\nmax_age: 1\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("<html><body>404</body></html>\n"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN("version: STSv1\nmode: none\nmax_age: 1\n\0"), MTASTS_MALFORMED, 0, 0, 0},
        {SPAN(""), MTASTS_MALFORMED, 0, 0, 0},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct mtasts_policy policy = {0};
        assert_int_equal(mtasts_policy_parse(rows[row].text, &policy), rows[row].result);
        if (rows[row].result != MTASTS_OK)
            continue;
        assert_int_equal(policy.mode, rows[row].mode);
        assert_int_equal(policy.max_age, rows[row].max_age);
        assert_int_equal(policy.pattern_count, rows[row].patterns);
    }
}

static void too_many_patterns_make_no_policy(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_init(&text, MTASTS_POLICY_MAX);
    assert_int_equal(buf_append_text(&text, "version: STSv1\nmode: enforce\nmax_age: 1\n"), 0);
    struct mtasts_policy policy;
    for (size_t at = 0; at < MTASTS_PATTERNS_MAX; at++)
        assert_int_equal(buf_append_text(&text, "mx: a.example\n"), 0);
    assert_int_equal(mtasts_policy_parse(buf_span(&text), &policy), MTASTS_OK);
    assert_int_equal(buf_append_text(&text, "mx: a.example\n"), 0);
    assert_int_equal(mtasts_policy_parse(buf_span(&text), &policy), MTASTS_MALFORMED);
}

/* RFC 8461 §4.1 */
static void hosts_match_whole_names_and_one_label_under_a_wildcard(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool is_allowed;
    } rows[] = {
        {"mail.example.com", true},
        {"MAIL.Example.COM.", true},
        {"backupmx.example.com", true},
        {"a.example.net", true},
        {"example.net", false},
        {"a.b.example.net", false},
        {"mail.example.com.x", false},
        {".example.net", false},
        {"amail.example.com", false},
        {"", false},
        {".", false},
    };
    struct mtasts_policy policy;
    assert_int_equal(mtasts_policy_parse(SPAN(GOOD "max_age: 604800\r\n"), &policy), MTASTS_OK);
    for (size_t row = 0; row < COUNT_OF(rows); row++)
        assert_int_equal(mtasts_policy_allows(&policy, span_of_text(rows[row].host)), rows[row].is_allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_are_read_as_the_rfc_writes_them),
        cmocka_unit_test(too_many_patterns_make_no_policy),
        cmocka_unit_test(hosts_match_whole_names_and_one_label_under_a_wildcard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
