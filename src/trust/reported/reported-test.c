#include "base/test.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "trust/reported/reported.h"

#define ROOM ((size_t)32 << 20)

static const char xml[] = "<?xml version=\"1.0\"?>\n<feedback><report_metadata><org_name>Example</org_name>"
                          "<report_id>7</report_id><date_range><begin>1</begin><end>2</end></date_range>"
                          "</report_metadata><policy_published><domain>example.org</domain></policy_published>"
                          "<record><row><source_ip>192.0.2.1</source_ip><count>3</count></row></record></feedback>\n";
static const char json[] = "{\"organization-name\":\"Example\",\"report-id\":\"7\",\"date-range\":{"
                           "\"start-datetime\":\"2026-11-20T00:00:00Z\",\"end-datetime\":\"2026-11-20T23:59:59Z\"},"
                           "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"},"
                           "\"summary\":{\"total-successful-session-count\":5}}]}";
/* gzip of "x": an archive, in order, of something else. */
static const char x_in_gzip[] = "H4sIAAAAAAACA6sAAIMW3IwBAAAA";

static struct arena *arena;
static struct buf mail;
static struct reported reported;
static const char *problem;

static int set_up(void **state)
{
    (void)state;
    buf_init(&mail, ROOM);
    return arena_new(REPORTED_ARENA_MAX, &arena);
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&mail);
    arena_free(arena);
    return 0;
}

static int find(void)
{
    return reported_find(buf_span(&mail), arena, &reported, &problem);
}

static void add(const char *text)
{
    assert_int_equal(buf_append_text(&mail, text), 0);
}

static void add_head(const char *type)
{
    add("From: reports@example.net\r\nMIME-Version: 1.0\r\nContent-Type: ");
    add(type);
    add("\r\n");
}

static void add_part(const char *fields, const char *body)
{
    add("--b\r\n");
    add(fields);
    add("\r\n\r\n");
    add(body);
    add("\r\n");
}

static void a_mail_that_is_the_report_is_read(void **state)
{
    (void)state;
    add_head("text/xml");
    add("\r\n");
    add(xml);
    assert_int_equal(find(), REPORTED_FOUND);
    assert_int_equal(reported.kind, REPORTED_DMARC);
    assert_string_equal(reported.dmarc.published.domain, "example.org");
    assert_int_equal(reported.dmarc.row_count, 1);
}

/* RFC 8460 §5.3 */
static void a_tls_report_among_texts_is_found(void **state)
{
    (void)state;
    add_head("multipart/report; report-type=\"tlsrpt\"; boundary=b");
    add("\r\n");
    add_part("Content-Type: text/plain", "{\"this\": \"is for people\"}");
    add_part("Content-Type: application/tlsrpt+json; name=\"example.net!example.org!1!2!3.json\"", json);
    add("--b--\r\n");
    assert_int_equal(find(), REPORTED_FOUND);
    assert_int_equal(reported.kind, REPORTED_TLS);
    assert_int_equal(reported.tls.policies[0].successful, 5);
}

static void what_is_called_a_text_is_known_by_its_name(void **state)
{
    (void)state;
    add_head("multipart/mixed; boundary=b");
    add("\r\n");
    add_part("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=REPORT.XML", xml);
    add("--b--\r\n");
    assert_int_equal(find(), REPORTED_FOUND);
}

static void the_attachment_that_is_the_report_is_found_behind_others(void **state)
{
    (void)state;
    add_head("multipart/mixed; boundary=b");
    add("\r\n");
    add_part("Content-Type: application/pgp-keys", "no archive at all");
    add_part("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64", x_in_gzip);
    add_part("Content-Type: application/octet-stream", xml);
    add("--b--\r\n");
    assert_int_equal(find(), REPORTED_FOUND);
}

static void after_so_many_attachments_none_is_looked_into(void **state)
{
    (void)state;
    add_head("multipart/mixed; boundary=b");
    add("\r\n");
    for (unsigned i = 0; i < REPORTED_TRIES_MAX; i++)
        add_part("Content-Type: application/octet-stream", "x");
    add_part("Content-Type: application/octet-stream", xml);
    add("--b--\r\n");
    assert_int_equal(find(), REPORTED_NONE);
    assert_non_null(strstr(problem, "is no report"));
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *body;
        const char *word;
    } rows[] = {
        {"text/plain", "Hello, I have a question.\r\n", "there is no attachment"},
        {"application/octet-stream", "Hello", "is no report"},
        {"application/xml", "<feedback>", "is no report"},
        {"application/xml", "<!DOCTYPE feedback [<!ENTITY a 'aaaa'>]><feedback>&a;</feedback>", "is no report"},
        {"application/tlsrpt+json", "[[[[[[[[[[[[[[[[[[[[[[", "is no report"},
        {"application/gzip", "\x1f\x8b\x08 and nothing more", "damaged"},
        {"application/zip", "PK\x03\x04 and nothing more", "damaged"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&mail);
        add_head(rows[i].type);
        add("\r\n");
        add(rows[i].body);
        assert_int_equal(find(), REPORTED_NONE);
        assert_non_null(strstr(problem, rows[i].word));
    }
}

static void what_is_too_large_is_said_to_be(void **state)
{
    (void)state;
    uint8_t *at = NULL;
    add_head("application/xml");
    add("\r\n<feedback>");
    assert_int_equal(buf_reserve(&mail, REPORTED_PACKED_MAX, &at), 0);
    memset(at, ' ', REPORTED_PACKED_MAX);
    buf_commit(&mail, REPORTED_PACKED_MAX);
    assert_int_equal(find(), REPORTED_NONE);
    assert_non_null(strstr(problem, "larger"));
}

/* The largest that may be: every row short, so that there are as many as fit. */
static void the_arena_is_enough_for_the_largest(void **state)
{
    (void)state;
    add_head("application/xml");
    add("\r\n<feedback><report_metadata><date_range><end>2</end></date_range></report_metadata>"
        "<policy_published><domain>example.org</domain></policy_published>");
    for (unsigned i = 0; i < DMARC_ROWS_MAX; i++)
        add("<record><row><count>1</count></row><auth_results><dkim><domain>a</domain></dkim><spf><domain>b</domain>"
            "<result>c</result></spf></auth_results></record>\n");
    add("</feedback>");
    assert_true(buf_len(&mail) < REPORTED_PACKED_MAX);
    assert_int_equal(find(), REPORTED_FOUND);
    assert_int_equal(reported.dmarc.row_count, DMARC_ROWS_MAX);
    assert_true(arena_used(arena) < REPORTED_ARENA_MAX / 2);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    unsigned failed = 0;
    int result = -ENOMEM;
    add_head("multipart/mixed; boundary=b");
    add("\r\n");
    add_part("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64", x_in_gzip);
    add_part("Content-Type: application/xml", xml);
    add("--b--\r\n");
    while (result == -ENOMEM) {
        AUTO(arena) struct arena *fresh = NULL;
        assert_int_equal(arena_new(REPORTED_ARENA_MAX, &fresh), 0);
        mem_fail_after(++failed);
        result = reported_find(buf_span(&mail), fresh, &reported, &problem);
        mem_fail_after(0);
    }
    assert_int_equal(result, REPORTED_FOUND);
    assert_true(failed > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mail_that_is_the_report_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tls_report_among_texts_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_called_a_text_is_known_by_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_attachment_that_is_the_report_is_found_behind_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_so_many_attachments_none_is_looked_into, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_large_is_said_to_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_arena_is_enough_for_the_largest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_it_says_so, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
