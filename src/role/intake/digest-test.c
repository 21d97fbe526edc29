#include "base/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "role/intake/digest.h"

static struct arena *arena;
static struct digest *digest;

static int set_up(void **state)
{
    (void)state;
    return arena_new(REPORTED_ARENA_MAX, &arena);
}

static int tear_down(void **state)
{
    (void)state;
    digest_free(digest);
    digest = NULL;
    arena_free(arena);
    return 0;
}

static size_t rows_of(size_t part, struct received_row *rows, size_t room)
{
    size_t count = 0;
    span_t rest = buf_span(&digest->parts[part].rows);
    while (count < room && received_row_next(&rest, &rows[count]))
        count++;
    assert_int_equal(rest.len, 0);
    return count;
}

static void assert_text(span_t text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.at, expected, text.len);
}

static void dmarc_rows_come_largest_first_and_clean(void **state)
{
    (void)state;
    static const struct dmarc_report_row rows[] = {
        {.count = 1, .disposition = "sampled_out", .dkim = "unknown", .source_ip = "192.0.2.1"},
        {.count = 9,
         .disposition = "reject",
         .dkim = "pass",
         .spf = "fail",
         .source_ip = "2001:db8::1",
         .header_from = "a\x1b[2J\"b\\c",
         .reason = "local_policy",
         .reason_comment = "arc=pass",
         .spf_domain = "x.test",
         .spf_result = "softfail",
         .signature_count = 2,
         .signatures = {{"one.test", "s", "fail"}, {"two.test", "s", "pass"}}},
    };
    struct reported reported = {.kind = REPORTED_DMARC};
    struct received_row found[3];
    reported.dmarc = (struct dmarc_report){
        .start = 5, .end = 6, .published = {.domain = "Example.ORG."}, .row_count = COUNT_OF(rows), .rows = rows};
    assert_int_equal(digest_new(&reported, arena, &digest), 0);
    assert_int_equal(digest->count, 1);
    assert_string_equal(digest->parts[0].domain, "example.org");
    assert_string_equal(digest->id, "5-6");
    assert_int_equal(rows_of(0, found, 3), 2);
    assert_int_equal(found[0].count, 9);
    assert_text(found[0].texts[RECEIVED_DISPOSITION], "reject");
    assert_text(found[0].texts[RECEIVED_AUTHOR], "a?[2J'b/c");
    assert_text(found[0].texts[RECEIVED_REASON], "local_policy: arc=pass");
    assert_text(found[0].texts[RECEIVED_SIGNER], "two.test: pass");
    assert_text(found[0].texts[RECEIVED_SENDER], "x.test: softfail");
    assert_text(found[1].texts[RECEIVED_DISPOSITION], "other");
    assert_text(found[1].texts[RECEIVED_DKIM], "fail");
    assert_text(found[1].texts[RECEIVED_SPF], "fail");
    assert_text(found[1].texts[RECEIVED_SIGNER], "");
}

static void what_has_no_row_of_its_own_is_added_up(void **state)
{
    (void)state;
    static struct dmarc_report_row rows[DMARC_ROWS_MAX];
    static struct received_row found[RECEIVED_ROWS_MAX + 1];
    static char long_text[1000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    uint64_t passed = 0;
    uint64_t failed = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rows[i] = (struct dmarc_report_row){.count = i + 1,
                                            .disposition = i % 3 == 0 ? "none" : "reject",
                                            .dkim = i % 2 == 0 ? "pass" : "fail",
                                            .source_ip = "192.0.2.1",
                                            .header_from = long_text,
                                            .spf_domain = i % 5 == 0 ? long_text : NULL};
        *(i % 2 == 0 ? &passed : &failed) += i + 1;
    }
    struct reported reported = {.kind = REPORTED_DMARC};
    reported.dmarc =
        (struct dmarc_report){.published = {.domain = "example.org"}, .row_count = COUNT_OF(rows), .rows = rows};
    assert_int_equal(digest_new(&reported, arena, &digest), 0);
    size_t count = rows_of(0, found, COUNT_OF(found));
    assert_true(count > 300 && count <= RECEIVED_ROWS_MAX);
    assert_int_equal(found[0].count, DMARC_ROWS_MAX);
    assert_int_equal(found[0].texts[RECEIVED_AUTHOR].len, RECEIVED_TEXT_MAX);
    for (size_t i = 0; i < count; i++)
        *(span_equal(found[i].texts[RECEIVED_DKIM], SPAN("pass")) ? &passed : &failed) -= found[i].count;
    assert_int_equal(passed, 0);
    assert_int_equal(failed, 0);
    assert_int_equal(found[count - 1].texts[RECEIVED_SOURCE].len, 0);
    assert_int_equal(found[count - 5].texts[RECEIVED_SOURCE].len, 9);
}

static void tls_rows_are_apart_by_domain_and_tell_all_sessions(void **state)
{
    (void)state;
    static const struct tlsrpt_failure failures[] = {
        {.type = TLSRPT_CERTIFICATE_EXPIRED, .mx_host = "mx.one.test", .sending_ip = "192.0.2.9", .sessions = 3},
        {.type = TLSRPT_STARTTLS_NOT_SUPPORTED, .sessions = 4},
    };
    static const struct tlsrpt_policy policies[] = {
        {.type = TLSRPT_STS,
         .domain = "one.test",
         .successful = 50,
         .failed = 9,
         .failure_count = 2,
         .failures = failures},
        {.type = TLSRPT_NO_POLICY_FOUND, .domain = "two.test", .successful = 1},
        {.type = TLSRPT_TLSA, .domain = "One.Test", .failed = 1},
        {.type = TLSRPT_TLSA, .domain = "no domain", .failed = 1},
    };
    struct reported reported = {.kind = REPORTED_TLS};
    struct received_row found[8];
    reported.tls = (struct tlsrpt_report){.id = "7", .policy_count = COUNT_OF(policies), .policies = policies};
    assert_int_equal(digest_new(&reported, arena, &digest), 0);
    assert_int_equal(digest->count, 2);
    assert_int_equal(rows_of(0, found, 8), 5);
    static const struct {
        uint64_t count;
        const char *policy;
        const char *result;
        const char *mx;
    } rows[] = {{50, "sts", "", ""},
                {4, "sts", "starttls-not-supported", ""},
                {3, "sts", "certificate-expired", "mx.one.test"},
                {2, "sts", "not-said", ""},
                {1, "tlsa", "not-said", ""}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(found[i].count, rows[i].count);
        assert_text(found[i].texts[RECEIVED_POLICY], rows[i].policy);
        assert_text(found[i].texts[RECEIVED_RESULT], rows[i].result);
        assert_text(found[i].texts[RECEIVED_MX], rows[i].mx);
    }
    assert_string_equal(digest->parts[1].domain, "two.test");
    assert_int_equal(rows_of(1, found, 8), 1);
}

static void a_report_on_no_domain_has_no_part(void **state)
{
    (void)state;
    struct reported reported = {.kind = REPORTED_DMARC};
    reported.dmarc = (struct dmarc_report){.published = {.domain = "not a domain"}};
    assert_int_equal(digest_new(&reported, arena, &digest), 0);
    assert_int_equal(digest->count, 0);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    static const struct dmarc_report_row rows[] = {{.count = 1, .source_ip = "192.0.2.1"}};
    struct reported reported = {.kind = REPORTED_DMARC};
    reported.dmarc =
        (struct dmarc_report){.published = {.domain = "example.org"}, .row_count = COUNT_OF(rows), .rows = rows};
    unsigned failed = 0;
    int result = -ENOMEM;
    while (result == -ENOMEM) {
        AUTO(arena) struct arena *fresh = NULL;
        assert_int_equal(arena_new(REPORTED_ARENA_MAX, &fresh), 0);
        mem_fail_after(++failed);
        result = digest_new(&reported, fresh, &digest);
        mem_fail_after(0);
    }
    assert_int_equal(result, 0);
    assert_int_equal(digest->count, 1);
    assert_true(failed > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dmarc_rows_come_largest_first_and_clean, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_no_row_of_its_own_is_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tls_rows_are_apart_by_domain_and_tell_all_sessions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_report_on_no_domain_has_no_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_it_says_so, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
