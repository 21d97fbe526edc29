#include "base/test.h"

#include <string.h>

#include "role/courier/reportmail.h"

static struct reportmail mail(enum tally_kind kind)
{
    return (struct reportmail){.kind = kind,
                               .organization = SPAN("us.test"),
                               .from = SPAN("noreply@us.test"),
                               .to = SPAN("tls@them.test"),
                               .domain = SPAN("them.test"),
                               .id = SPAN("1.2@us.test"),
                               .start = 1136160000,
                               .end = 1136246399,
                               .now = 1136250000,
                               .number = 0xABCDEF,
                               .packed = SPAN("not really packed, but longer than one line of base64 would have it")};
}

static void expect(const struct buf *text, const char *part)
{
    if (span_find(buf_span(text), span_of_text(part)) == buf_len(text))
        fail_msg("without %s: %.*s", part, SPAN_PRINT(buf_span(text)));
}

/* RFC 8460 §5.3 */
static void a_tls_report_is_a_multipart_report(void **state)
{
    const struct reportmail one = mail(TALLY_TLS);
    AUTO_BUF struct buf text;
    (void)state;
    buf_init(&text, 65536);
    assert_int_equal(reportmail_write(&one, &text), 0);
    expect(&text, "Subject: Report Domain: them.test\r\n Submitter: us.test\r\n Report-ID: <1.2@us.test>\r\n");
    expect(&text, "TLS-Report-Domain: them.test\r\nTLS-Report-Submitter: us.test\r\n");
    expect(&text, "Content-Type: multipart/report; report-type=tlsrpt;\r\n");
    expect(&text, "Content-Type: application/tlsrpt+gzip\r\n");
    expect(&text, "filename=\"us.test!them.test!1136160000!1136246399.json.gz\"\r\n");
    expect(&text, "\r\n\r\nbm90IHJlYWxseSBwYWNrZWQsIGJ1dCBsb25nZXIgdGhhbiBvbmUgbGluZSBvZiBiYXNlNjQgd291\r\nbGQgaGF2ZSBp"
                  "dA==\r\n--");
}

/* RFC 7489 §7.2.1.1 */
static void a_dmarc_report_is_a_gzip_file(void **state)
{
    const struct reportmail one = mail(TALLY_DMARC);
    AUTO_BUF struct buf text;
    (void)state;
    buf_init(&text, 65536);
    assert_int_equal(reportmail_write(&one, &text), 0);
    expect(&text, "Content-Type: application/gzip\r\n");
    expect(&text, "filename=\"us.test!them.test!1136160000!1136246399.xml.gz\"\r\n");
    assert_int_equal(span_find(buf_span(&text), SPAN("TLS-")), buf_len(&text));
}

static void one_that_has_no_room_is_a_fault(void **state)
{
    const struct reportmail one = mail(TALLY_DMARC);
    (void)state;
    for (size_t room = 0; room < 800; room += 100) {
        AUTO_BUF struct buf text;
        buf_init(&text, room);
        assert_true(reportmail_write(&one, &text) < 0);
    }
}

static void addresses_that_would_need_quotes_get_nothing(void **state)
{
    static const struct {
        const char *address;
        bool may;
    } rows[] = {
        {"a@x.test", true},
        {"a.b+c=d@x.test", true},
        {"a@x", true},
        {"a", false},
        {"@x.test", false},
        {"a@", false},
        {".a@x.test", false},
        {"a.@x.test", false},
        {"a..b@x.test", false},
        {"\"a b\"@x.test", false},
        {"a,b@x.test", false},
        {"a>\r\nBcc: b@x.test", false},
        {"<a@x.test", false},
        {"a@x.test>", false},
        {"a@b@x.test", false},
        {"a@x.test.", false},
        {"a@.x.test", false},
        {"a@x_y.test", false},
        {"a@[192.0.2.1]", false},
        {"\xc3\xa4@x.test", false},
        {"a@\xc3\xa4.test", false},
    };
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++)
        if (reportmail_may_go_to(span_of_text(rows[row].address)) != rows[row].may)
            fail_msg("%s", rows[row].address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tls_report_is_a_multipart_report),
        cmocka_unit_test(a_dmarc_report_is_a_gzip_file),
        cmocka_unit_test(one_that_has_no_room_is_a_fault),
        cmocka_unit_test(addresses_that_would_need_quotes_get_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
