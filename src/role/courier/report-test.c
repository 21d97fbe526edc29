#include "base/test.h"

#include "role/courier/report.h"

#include <string.h>

static struct smtp_response refused(void)
{
    struct smtp_response response = {.code = 550, .class_ = 5, .subject = 1, .detail = 1, .text_len = 6};
    memcpy(response.text, "nobody", 6);
    return response;
}

static void expect(const struct buf *text, const char *part)
{
    if (span_find(buf_span(text), span_of_text(part)) == buf_len(text))
        fail_msg("without %s: %.*s", part, SPAN_PRINT(buf_span(text)));
}

static void a_report_says_who_failed_and_why(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    const struct smtp_response response = refused();
    const struct report_recipient rows[] = {{.address = SPAN("bob@example.org"),
                                             .orcpt = SPAN("rfc822;b+2Bb@example.org"),
                                             .status = NOTE_FAILED,
                                             .response = &response,
                                             .host = SPAN("mx.example.org")},
                                            {.address = SPAN("carol@example.org"), .status = NOTE_RELAYED}};
    const struct report report = {.hostname = SPAN("mx.demo.test"),
                                  .to = SPAN("alice@demo.test"),
                                  .envid = SPAN("QQ+2B1"),
                                  .arrived = 1136214245,
                                  .now = 1136214245,
                                  .id = 0xABCDEF,
                                  .recipients = rows,
                                  .count = COUNT_OF(rows),
                                  .original = SPAN("Subject: x\r\n\r\n")};
    buf_init(&text, 65536);
    assert_int_equal(report_write(&report, &text), 0);
    expect(&text, "To: <alice@demo.test>\r\nSubject: Not delivered");
    expect(&text, "Original-Envelope-Id: QQ+1\r\nReporting-MTA: dns; mx.demo.test\r\n"
                  "Arrival-Date: Mon, 02 Jan 2006 15:04:05 +0000\r\n");
    expect(&text, "\r\n\r\nOriginal-Recipient: rfc822;b+b@example.org\r\nFinal-Recipient: rfc822; bob@example.org\r\n"
                  "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.org\r\n"
                  "Diagnostic-Code: smtp; 550 nobody\r\n");
    expect(&text, "Final-Recipient: rfc822; carol@example.org\r\nAction: relayed\r\nStatus: 2.0.0\r\n");
    expect(&text, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n");
}

/* RFC 6533: what is beyond ASCII has types of its own. */
static void a_report_on_international_addresses_says_so(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    const struct report_recipient row = {.address = SPAN("d\xc3\xb6ner@example.org"), .status = NOTE_OPEN};
    const struct report report = {.hostname = SPAN("mx.demo.test"),
                                  .to = SPAN("alice@demo.test"),
                                  .is_utf8 = true,
                                  .until = 1136214245,
                                  .recipients = &row,
                                  .count = 1,
                                  .original = SPAN("Subject: x\r\n\r\n")};
    buf_init(&text, 65536);
    assert_int_equal(report_write(&report, &text), 0);
    expect(&text, "report-type=global-delivery-status");
    expect(&text, "Content-Type: message/global-delivery-status\r\n");
    expect(&text, "Final-Recipient: utf-8; d\xc3\xb6ner@example.org\r\nAction: delayed\r\nStatus: 4.4.7\r\n"
                  "Will-Retry-Until: Mon, 02 Jan 2006 15:04:05 +0000\r\n");
    expect(&text, "Content-Type: message/global-headers\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_says_who_failed_and_why),
        cmocka_unit_test(a_report_on_international_addresses_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
