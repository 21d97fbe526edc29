#include "base/test.h"

#include <string.h>

#include "role/intake/trace.h"

static struct trace_delivery from_a_stranger(void)
{
    return (struct trace_delivery){
        .client = SPAN("192.0.2.7"),
        .helo = SPAN("mail.example.org"),
        .sender = SPAN("ann@example.org"),
        .for_address = SPAN("bob@example.net"),
        .hostname = SPAN("mx.example.net"),
        .id = 0xABCDEF,
        .now_seconds = 1136214245,
    };
}

static void expect_lines(const struct trace_delivery *delivery, const char *message, const char *expected)
{
    AUTO_BUF struct buf lines;
    buf_init(&lines, TRACE_ADDED_MAX);
    struct trace_facts facts;
    trace_scan(span_of_text(message), &facts);
    assert_int_equal(trace_write(delivery, &facts, &lines), 0);
    assert_int_equal(buf_append_byte(&lines, 0), 0);
    assert_string_equal((const char *)buf_span(&lines).at, expected);
}

static void a_delivery_is_stamped(void **state)
{
    (void)state;
    struct trace_delivery delivery = from_a_stranger();
    expect_lines(&delivery, "Subject: x\r\n\r\n",
                 "Return-Path: <ann@example.org>\r\n"
                 "Received: from mail.example.org ([192.0.2.7])\r\n"
                 "\tby mx.example.net with ESMTP id 0000000000abcdef\r\n"
                 "\tfor <bob@example.net>;\r\n"
                 "\tMon, 02 Jan 2006 15:04:05 +0000\r\n");
    delivery.tls = true;
    delivery.cipher = SPAN("TLS_AES_256_GCM_SHA384");
    delivery.client = SPAN("2001:db8::1");
    delivery.sender = SPAN_NONE;
    delivery.for_address = SPAN_NONE;
    expect_lines(&delivery, "",
                 "Return-Path: <>\r\n"
                 "Received: from mail.example.org ([IPv6:2001:db8::1])\r\n"
                 "\tby mx.example.net with ESMTPS id 0000000000abcdef\r\n"
                 "\ttls TLS_AES_256_GCM_SHA384;\r\n"
                 "\tMon, 02 Jan 2006 15:04:05 +0000\r\n");
}

static void a_submission_hides_its_client_and_is_completed(void **state)
{
    (void)state;
    struct trace_delivery delivery = from_a_stranger();
    delivery.submission = true;
    delivery.tls = true;
    delivery.cipher = SPAN("TLS_AES_256_GCM_SHA384");
    expect_lines(&delivery, "Subject: x\r\n\r\n",
                 "Return-Path: <ann@example.org>\r\n"
                 "Received: from hidden.invalid\r\n"
                 "\tby mx.example.net with ESMTPSA id 0000000000abcdef\r\n"
                 "\tfor <bob@example.net>;\r\n"
                 "\tMon, 02 Jan 2006 15:04:05 +0000\r\n"
                 "Date: Mon, 02 Jan 2006 15:04:05 +0000\r\n"
                 "Message-ID: <0000000000abcdef.43b940e5@mx.example.net>\r\n");
    expect_lines(&delivery, "DATE: x\r\nmessage-id: <a@b>\r\n\r\n",
                 "Return-Path: <ann@example.org>\r\n"
                 "Received: from hidden.invalid\r\n"
                 "\tby mx.example.net with ESMTPSA id 0000000000abcdef\r\n"
                 "\tfor <bob@example.net>;\r\n"
                 "\tMon, 02 Jan 2006 15:04:05 +0000\r\n");
}

static void a_submission_tells_neither_software_nor_place(void **state)
{
    (void)state;
    struct trace_delivery delivery = from_a_stranger();
    delivery.submission = true;
    delivery.hides = true;
    uint8_t message[] = "User-Agent: Secret/1\r\nDate: Mon, 2 Jan 2006 20:04:05 +0500\r\nMIME-Version: 1.0 (Secret)\r\n"
                        "X-Originating-IP: [192.0.2.9]\r\nMessage-ID: <a@b>\r\nSubject: x\r\n\r\nDate: body\r\n";
    size_t gone = trace_strip(message, sizeof(message) - 1, &delivery);
    assert_string_equal((const char *)message + gone, "Message-ID: <a@b>\r\nSubject: x\r\n\r\nDate: body\r\n");
    expect_lines(&delivery,
                 "Date: Mon, 2 Jan 2006 20:04:06 +0500\r\nMIME-Version: 1.0 (Secret)\r\nMessage-ID: <a@b>\r\n\r\n",
                 "Return-Path: <ann@example.org>\r\n"
                 "Received: from hidden.invalid\r\n"
                 "\tby mx.example.net with ESMTPA id 0000000000abcdef\r\n"
                 "\tfor <bob@example.net>;\r\n"
                 "\tMon, 02 Jan 2006 15:04:05 +0000\r\n"
                 "Date: Mon, 02 Jan 2006 15:04:06 +0000\r\n"
                 "MIME-Version: 1.0\r\n");
}

static void nor_do_the_servers_it_has_passed_before(void **state)
{
    (void)state;
    struct trace_delivery delivery = from_a_stranger();
    delivery.submission = true;
    delivery.hides = true;
    const char text[] = "Received: from laptop.lan ([192.0.2.9])\r\n\tby laptop.lan; Mon, 2 Jan 2006 20:04:05 +0500\r\n"
                        "Resent-Date: Mon, 2 Jan 2006 20:04:05 +0500\r\nDate: Mon, 2 Jan 2006 20:04:04 +0500\r\n"
                        "Message-ID: <a@b>\r\n\r\nbody";
    uint8_t message[sizeof(text)];
    memcpy(message, text, sizeof(text));
    size_t gone = trace_strip(message, sizeof(text) - 1, &delivery);
    assert_string_equal((const char *)message + gone, "Message-ID: <a@b>\r\n\r\nbody");
    expect_lines(&delivery, text,
                 "Return-Path: <ann@example.org>\r\n"
                 "Received: from hidden.invalid\r\n"
                 "\tby mx.example.net with ESMTPA id 0000000000abcdef\r\n"
                 "\tfor <bob@example.net>;\r\n"
                 "\tMon, 02 Jan 2006 15:04:05 +0000\r\n"
                 "Received: from hidden.invalid by hidden.invalid; Mon, 02 Jan 2006 15:04:05 +0000\r\n"
                 "Date: Mon, 02 Jan 2006 15:04:04 +0000\r\n"
                 "Resent-Date: Mon, 02 Jan 2006 15:04:05 +0000\r\n");
}

static void a_report_of_ours_is_received_from_nobody(void **state)
{
    (void)state;
    struct trace_delivery delivery = from_a_stranger();
    delivery.report = true;
    delivery.sender = SPAN_NONE;
    expect_lines(&delivery, "Date: x\r\n\r\n", "Return-Path: <>\r\n");
}

static void nothing_a_client_says_ends_a_line_or_a_comment(void **state)
{
    (void)state;
    static const char *const helos[] = {"a\r\nX: y", "a b", "a)(", "a;b", "", "<a>", "\"a\"", "a\\"};
    for (size_t at = 0; at < COUNT_OF(helos); at++) {
        struct trace_delivery delivery = from_a_stranger();
        delivery.helo = span_of_text(helos[at]);
        delivery.for_address = SPAN("a\r\nb");
        delivery.sender = SPAN("a\r\nb@c");
        expect_lines(&delivery, "",
                     "Return-Path: <ab@c>\r\n"
                     "Received: from [192.0.2.7] ([192.0.2.7])\r\n"
                     "\tby mx.example.net with ESMTP id 0000000000abcdef;\r\n"
                     "\tMon, 02 Jan 2006 15:04:05 +0000\r\n");
    }
}

static void received_lines_are_counted_in_the_header_only(void **state)
{
    (void)state;
    struct trace_facts facts;
    trace_scan(SPAN("Received: a\r\n b\r\nRECEIVED: c\nX-Received: d\r\n\r\nReceived: e\r\n"), &facts);
    assert_int_equal(facts.received, 2);
    assert_false(facts.has_date);
}

static void fields_that_must_go_are_taken_out(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *delivered;
        const char *submitted;
    } rows[] = {
        {"A: 1\r\n\r\nbody", "A: 1\r\n\r\nbody", "A: 1\r\n\r\nbody"},
        {"Return-Path: <x>\r\nA: 1\r\nbcc: a,\r\n b\r\nB: 2\r\n\r\nBcc: body",
         "A: 1\r\nbcc: a,\r\n b\r\nB: 2\r\n\r\nBcc: body", "A: 1\r\nB: 2\r\n\r\nBcc: body"},
        {"Bcc: a\r\nBcc: b\r\nReturn-path:\r\n\r\n", "Bcc: a\r\nBcc: b\r\n\r\n", "\r\n"},
        {"", "", ""},
        {"\r\nReturn-Path: x\r\n", "\r\nReturn-Path: x\r\n", "\r\nReturn-Path: x\r\n"},
        {"Return-Path: x", "", ""},
        {"A: 1\nReturn-Path: x\n\nbody\n", "A: 1\n\nbody\n", "A: 1\n\nbody\n"},
    };
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        for (int submission = 0; submission < 2; submission++) {
            uint8_t message[128];
            size_t len = strlen(rows[at].message);
            memcpy(message, rows[at].message, len);
            const struct trace_delivery delivery = {.submission = submission == 1};
            size_t gone = trace_strip(message, len, &delivery);
            const char *expected = submission == 1 ? rows[at].submitted : rows[at].delivered;
            assert_int_equal(len - gone, strlen(expected));
            assert_memory_equal(message + gone, expected, strlen(expected));
        }
    }
}

/* RFC 8601 §5 */
static void results_in_our_name_are_taken_out(void **state)
{
    (void)state;
    char message[] = "Authentication-Results: mx.example.net; dmarc=pass\r\n"
                     "Subject: x\r\n"
                     "Authentication-Results: other.example; spf=pass\r\n"
                     "authentication-results :\r\n (mine) \"MX.example.NET\" 1; none\r\n\r\nAuthentication-Results: mx";
    const struct trace_delivery delivery = from_a_stranger();
    size_t gone = trace_strip((uint8_t *)message, sizeof(message) - 1, &delivery);
    assert_string_equal(message + gone, "Subject: x\r\nAuthentication-Results: other.example; spf=pass\r\n\r\n"
                                        "Authentication-Results: mx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_stamped),
        cmocka_unit_test(a_submission_hides_its_client_and_is_completed),
        cmocka_unit_test(a_submission_tells_neither_software_nor_place),
        cmocka_unit_test(nor_do_the_servers_it_has_passed_before),
        cmocka_unit_test(a_report_of_ours_is_received_from_nobody),
        cmocka_unit_test(nothing_a_client_says_ends_a_line_or_a_comment),
        cmocka_unit_test(received_lines_are_counted_in_the_header_only),
        cmocka_unit_test(fields_that_must_go_are_taken_out),
        cmocka_unit_test(results_in_our_name_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
