#include "trust/fixture.h"

#include <stdio.h>
#include <string.h>

#include "trust/dmarc/tally.h"

#define WHAT_MAX 2048U

/* A message from a@FROM that failed, of a domain with p=reject; the rest is the test's. */
struct one {
    struct judge_request request;
    struct judgement judgement;
    struct dkim_verifier dkim;
};

static void make(struct one *one)
{
    *one = (struct one){
        .request = {.sender = SPAN("bounce@mail.x.test"), .checks_spf = true},
        .judgement = {
            .spf = {.result = SPF_SOFTFAIL, .domain = SPAN("mail.x.test")},
            .dmarc = {.result = DMARC_FAIL,
                      .policy = DMARC_REJECT,
                      .disposition = DMARC_REJECT,
                      .domain = SPAN("x.test"),
                      .found = {.has_record = true,
                                .policy_domain = SPAN("x.test"),
                                .record = {.policy = DMARC_REJECT, .subdomains = DMARC_NONE, .percent = 50}}}}};
    one->judgement.dkim = &one->dkim;
    assert_true(ip_parse(SPAN("2001:db8::7"), &one->request.client));
}

static void sign(struct one *one, const char *domain, enum dkim_result result)
{
    one->dkim.tasks[one->dkim.count++].verdict =
        (struct dkim_verdict){.result = result, .signature = {.domain = span_of_text(domain), .selector = SPAN("s")}};
}

static struct dmarc_report_row counted(struct arena *arena, const struct one *one, enum dmarc_policy disposition,
                                       enum dmarc_override override, struct dmarc_report *report)
{
    const struct dmarc_tally_case way = {&one->request, &one->judgement, disposition, override};
    AUTO_BUF struct buf context;
    AUTO_BUF struct buf what;
    size_t used = 0;
    buf_init(&context, WHAT_MAX);
    buf_init(&what, WHAT_MAX);
    dmarc_tally_context(&one->judgement.dmarc, &context);
    dmarc_tally_what(&way, &what);
    assert_int_equal(buf_fault(&what), 0);
    const struct tally_item items[] = {{buf_span(&context), buf_span(&what), 3}, {SPAN("other"), SPAN("x"), 1}};
    assert_int_equal(dmarc_tally_read(items, 2, arena, report, &used), 0);
    assert_int_equal(used, 1);
    assert_int_equal(report->row_count, 1);
    return report->rows[0];
}

static void a_message_becomes_a_row(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    struct dmarc_report report = {0};
    struct one one;
    (void)state;
    make(&one);
    sign(&one, "list.test", DKIM_PASS);
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    const struct dmarc_report_row row = counted(arena, &one, DMARC_REJECT, DMARC_OBEYED, &report);
    assert_string_equal(report.published.policy, "reject");
    assert_string_equal(report.published.subdomain_policy, "none");
    assert_string_equal(report.published.percent, "50");
    assert_string_equal(report.published.adkim, "r");
    assert_int_equal(row.count, 3);
    assert_string_equal(row.source_ip, "2001:db8::7");
    assert_string_equal(row.disposition, "reject");
    assert_string_equal(row.dkim, "fail");
    assert_string_equal(row.header_from, "x.test");
    assert_string_equal(row.envelope_from, "mail.x.test");
    assert_string_equal(row.spf_domain, "mail.x.test");
    assert_string_equal(row.spf_scope, "mfrom");
    assert_string_equal(row.spf_result, "softfail");
    assert_null(row.reason);
    assert_int_equal(row.signature_count, 1);
    assert_string_equal(row.signatures[0].domain, "list.test");
    assert_string_equal(row.signatures[0].result, "pass");
}

/* RFC 7489 Appendix C, PolicyOverrideType */
static void what_was_done_otherwise_is_told_with_its_reason(void **state)
{
    static const struct {
        enum dmarc_policy disposition; /* of the verdict */
        enum dmarc_override override;
        const char *reason;
        const char *comment;
    } rows[] = {
        {DMARC_REJECT, DMARC_OBEYED, NULL, NULL},
        {DMARC_REJECT, DMARC_FORWARDED, "local_policy", "arc=pass"},
        {DMARC_REJECT, DMARC_LOCAL, "local_policy", NULL},
        {DMARC_QUARANTINE, DMARC_OBEYED, "sampled_out", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        struct dmarc_report report = {0};
        struct one one;
        make(&one);
        one.judgement.dmarc.disposition = rows[i].disposition;
        assert_int_equal(arena_new(1U << 20, &arena), 0);
        const struct dmarc_report_row row = counted(arena, &one, DMARC_NONE, rows[i].override, &report);
        assert_string_equal(row.reason == NULL ? "" : row.reason, rows[i].reason == NULL ? "" : rows[i].reason);
        assert_string_equal(row.reason_comment == NULL ? "" : row.reason_comment,
                            rows[i].comment == NULL ? "" : rows[i].comment);
    }
}

static void signatures_of_the_domain_itself_come_first(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    struct dmarc_report report = {0};
    struct one one;
    (void)state;
    make(&one);
    for (unsigned i = 0; i < DKIM_SIGNATURES_MAX - 1; i++)
        sign(&one, "crowd.test", DKIM_FAIL);
    sign(&one, "mail.x.test", DKIM_PASS);
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    const struct dmarc_report_row row = counted(arena, &one, DMARC_NONE, DMARC_OBEYED, &report);
    assert_int_equal(row.signature_count, DMARC_TALLY_SIGNATURES_MAX);
    assert_string_equal(row.signatures[0].domain, "mail.x.test");
    assert_string_equal(row.signatures[1].domain, "crowd.test");
}

static void a_bounce_has_no_envelope_sender(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    struct dmarc_report report = {0};
    struct one one;
    (void)state;
    make(&one);
    one.request.sender = SPAN_NONE;
    one.judgement.spf.is_helo = true;
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    const struct dmarc_report_row row = counted(arena, &one, DMARC_NONE, DMARC_OBEYED, &report);
    assert_null(row.envelope_from);
    assert_string_equal(row.spf_scope, "helo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_becomes_a_row),
        cmocka_unit_test(what_was_done_otherwise_is_told_with_its_reason),
        cmocka_unit_test(signatures_of_the_domain_itself_come_first),
        cmocka_unit_test(a_bounce_has_no_envelope_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
