#include "base/test.h"

#include "trust/authres/authres.h"

static void our_own_results_are_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool is_ours;
    } rows[] = {
        {"mx.example; spf=pass", true},
        {"MX.Example 1; none", true},
        {"(a (nested) \\) comment)\r\n\tmx.example;spf=pass", true},
        {"\"mx.example\"; none", true},
        {"\"mx\\.exa\\mple\"; none", true},
        {"\"\r\n mx.example \"; none", true},
        {"\"mx.example", true},
        {"\"mx.example\\", false},
        {"\"mx.example.x\"", false},
        {"\"\"", false},
        {"mx.example.; none", true},
        {"mx.example", true},
        {"mx.example.org; spf=pass", false},
        {"other.example; x=\"mx.example\"", false},
        {"a.mx.example; none", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(authres_is_of(span_of_text(rows[i].value), SPAN("mx.example")), rows[i].is_ours);
}

/* RFC 8601 Appendix B */
static void results_are_read(void **state)
{
    (void)state;
    struct authres_item item;
    span_t rest =
        authres_results(SPAN("example.com 1; dkim/1 = (could be good; or \"not\") fail (really)\r\n"
                             "\treason=\"bad; dmarc=pass\" header.i=@e.example;; bare; spf=\"pass\" ;dmarc=none"));
    static const char *const wanted[][2] = {{"dkim", "fail"}, {"spf", "pass"}, {"dmarc", "none"}};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        assert_true(authres_next(&rest, &item));
        assert_true(span_equal(item.method, span_of_text(wanted[i][0])));
        assert_true(span_equal(item.result, span_of_text(wanted[i][1])));
    }
    assert_false(authres_next(&rest, &item));
}

static void what_a_stranger_said_is_not_repeated_in_a_way_that_says_more(void **state)
{
    (void)state;
    AUTO_BUF struct buf lines;
    const struct spf_verdict spf = {
        .result = SPF_NONE, .domain = SPAN("x; dmarc=pass\r\nSubject: y"), .is_helo = true, .reason = ""};
    const struct authres results = {.host = SPAN("mx.example"), .spf = &spf};
    const struct authres nothing = {.host = SPAN("mx.example")};
    buf_init(&lines, 1000);
    assert_int_equal(authres_write(&results, &lines), 0);
    assert_true(span_equal(buf_span(&lines), SPAN("Authentication-Results: mx.example;\r\n\tspf=none\r\n")));
    buf_clear(&lines);
    assert_int_equal(authres_write(&nothing, &lines), 0);
    assert_true(span_equal(buf_span(&lines), SPAN("Authentication-Results: mx.example; none\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_results_are_recognised),
        cmocka_unit_test(results_are_read),
        cmocka_unit_test(what_a_stranger_said_is_not_repeated_in_a_way_that_says_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
