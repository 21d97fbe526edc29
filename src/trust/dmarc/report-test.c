#include "base/test.h"

#include <errno.h>
#include "trust/dmarc/report.h"

static const struct dmarc_report_row rows[] = {
    {.source_ip = "192.0.2.1",
     .count = 2,
     .disposition = "none",
     .dkim = "fail",
     .spf = "pass",
     .reason = "trusted_forwarder",
     .reason_comment = "a <list> & \"more\"",
     .header_from = "example.com",
     .envelope_from = "bounce.example.com",
     .spf_domain = "bounce.example.com",
     .spf_scope = "mfrom",
     .spf_result = "pass",
     .signature_count = 2,
     .signatures = {{"example.com", "s1", "fail"}, {"example.net", NULL, "pass"}}},
    {.source_ip = "2001:db8::1",
     .count = 1,
     .disposition = "reject",
     .dkim = "fail",
     .spf = "fail",
     .header_from = "b\xc3\xbc"
                    "cher.example",
     .spf_domain = "x.example",
     .spf_result = "softfail"},
};

static struct dmarc_report report = {
    .organization = "Example Org",
    .contact = "dmarc@example.org",
    .id = "20261121.1",
    .start = 1795219200,
    .end = 1795305599,
    .published = {.domain = "example.com", .adkim = "r", .aspf = "s", .policy = "reject", .percent = "100"},
    .row_count = COUNT_OF(rows),
    .rows = rows,
};

static void assert_text(const char *one, const char *other)
{
    assert_int_equal(one == NULL, other == NULL);
    if (one != NULL && other != NULL)
        assert_string_equal(one, other);
}

static void assert_row(const struct dmarc_report_row *one, const struct dmarc_report_row *other)
{
    assert_text(one->source_ip, other->source_ip);
    assert_int_equal(one->count, other->count);
    assert_text(one->disposition, other->disposition);
    assert_text(one->dkim, other->dkim);
    assert_text(one->spf, other->spf);
    assert_text(one->reason, other->reason);
    assert_text(one->reason_comment, other->reason_comment);
    assert_text(one->header_from, other->header_from);
    assert_text(one->envelope_from, other->envelope_from);
    assert_text(one->spf_domain, other->spf_domain);
    assert_text(one->spf_scope, other->spf_scope);
    assert_text(one->spf_result, other->spf_result);
    assert_int_equal(one->signature_count, other->signature_count);
    for (size_t at = 0; at < one->signature_count; at++) {
        assert_text(one->signatures[at].domain, other->signatures[at].domain);
        assert_text(one->signatures[at].selector, other->signatures[at].selector);
        assert_text(one->signatures[at].result, other->signatures[at].result);
    }
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf xml = {0};
    AUTO(arena) struct arena *arena = NULL;
    struct dmarc_report copy;
    buf_init(&xml, DMARC_REPORT_MAX);
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    assert_int_equal(dmarc_report_write(&report, &xml), 0);
    assert_int_equal(dmarc_report_read(buf_span(&xml), arena, &copy), DMARC_REPORT_OK);
    assert_text(copy.organization, report.organization);
    assert_text(copy.contact, report.contact);
    assert_text(copy.id, report.id);
    assert_int_equal(copy.start, report.start);
    assert_int_equal(copy.end, report.end);
    assert_text(copy.published.domain, report.published.domain);
    assert_text(copy.published.adkim, report.published.adkim);
    assert_text(copy.published.aspf, report.published.aspf);
    assert_text(copy.published.policy, report.published.policy);
    assert_text(copy.published.subdomain_policy, report.published.subdomain_policy);
    assert_text(copy.published.percent, report.published.percent);
    assert_int_equal(copy.row_count, COUNT_OF(rows));
    for (size_t at = 0; at < COUNT_OF(rows); at++)
        assert_row(&copy.rows[at], &rows[at]);
}

static void a_report_larger_than_its_buffer_says_so(void **state)
{
    (void)state;
    AUTO_BUF struct buf xml = {0};
    buf_init(&xml, 100);
    assert_int_equal(dmarc_report_write(&report, &xml), -ENOBUFS);
}

#define HEAD                                                                                                           \
    "<feedback><report_metadata><date_range><begin>1</begin><end>2</end></date_range></report_metadata>"               \
    "<policy_published><domain>a.example</domain></policy_published>"
#define RECORD                                                                                                         \
    "<record><row><count>3</count></row><auth_results><dkim/><dkim><result>pass</result></dkim></auth_results></"      \
    "record>"

static void reports_of_others_are_read_within_limits(void **state)
{
    (void)state;
    static const struct {
        const char *xml;
        int result;
        size_t rows;
    } cases[] = {
        {HEAD RECORD "</feedback>", DMARC_REPORT_OK, 1},
        {"<?xml version=\"1.0\" encoding=\"utf-16\"?>" HEAD RECORD RECORD "</feedback>", DMARC_REPORT_OK, 2},
        {"<x:feedback "
         "xmlns:x=\"urn:ietf:params:xml:ns:dmarc-2.0\"><x:report_metadata><x:date_range><x:begin>1</x:begin>"
         "<x:end>2</x:end></x:date_range></x:report_metadata><x:policy_published><x:domain>a</x:domain>"
         "</x:policy_published></x:feedback>",
         DMARC_REPORT_OK, 0},
        {HEAD "<extra><deep/></extra></feedback>", DMARC_REPORT_OK, 0},
        {HEAD "<record><row><count>-1</count></row></record></feedback>", DMARC_REPORT_MALFORMED, 0},
        {"<!DOCTYPE lolz [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>" HEAD RECORD "</feedback>",
         DMARC_REPORT_MALFORMED, 0},
        {HEAD RECORD, DMARC_REPORT_MALFORMED, 0},
        {HEAD
         "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a></a></a></a>"
         "</a></a></a></a></a></feedback>",
         DMARC_REPORT_MALFORMED, 0},
        {"<feedback></feedback>", DMARC_REPORT_MALFORMED, 0},
        {"<html></html>", DMARC_REPORT_MALFORMED, 0},
        {"", DMARC_REPORT_MALFORMED, 0},
    };
    for (size_t at = 0; at < COUNT_OF(cases); at++) {
        AUTO(arena) struct arena *arena = NULL;
        struct dmarc_report copy;
        assert_int_equal(arena_new(1U << 20, &arena), 0);
        assert_int_equal(dmarc_report_read(span_of_text(cases[at].xml), arena, &copy), cases[at].result);
        if (cases[at].result != DMARC_REPORT_OK)
            continue;
        assert_int_equal(copy.row_count, cases[at].rows);
        assert_int_equal(copy.start, 1);
        for (size_t row = 0; row < copy.row_count; row++) {
            assert_int_equal(copy.rows[row].count, 3);
            assert_int_equal(copy.rows[row].signature_count, 2);
            assert_null(copy.rows[row].signatures[0].result);
            assert_text(copy.rows[row].signatures[1].result, "pass");
        }
    }
}

static void rows_are_kept_in_order_and_counted(void **state)
{
    (void)state;
    AUTO_BUF struct buf xml = {0};
    AUTO(arena) struct arena *arena = NULL;
    struct dmarc_report copy;
    buf_init(&xml, DMARC_REPORT_MAX);
    assert_int_equal(arena_new(64U << 20, &arena), 0);
    assert_int_equal(buf_append_text(&xml, HEAD), 0);
    for (unsigned at = 0; at < 200; at++)
        assert_int_equal(buf_append_format(&xml, "<record><row><count>%u</count></row></record>", at), 0);
    size_t good = buf_len(&xml);
    assert_int_equal(buf_append_text(&xml, "</feedback>"), 0);
    assert_int_equal(dmarc_report_read(buf_span(&xml), arena, &copy), DMARC_REPORT_OK);
    assert_int_equal(copy.row_count, 200);
    for (size_t at = 0; at < copy.row_count; at++)
        assert_int_equal(copy.rows[at].count, at);
    buf_truncate(&xml, good);
    for (unsigned at = 200; at <= DMARC_ROWS_MAX; at++)
        assert_int_equal(buf_append_text(&xml, "<record/>"), 0);
    assert_int_equal(buf_append_text(&xml, "</feedback>"), 0);
    assert_int_equal(dmarc_report_read(buf_span(&xml), arena, &copy), DMARC_REPORT_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_report_larger_than_its_buffer_says_so),
        cmocka_unit_test(reports_of_others_are_read_within_limits),
        cmocka_unit_test(rows_are_kept_in_order_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
