#include "base/test.h"

#include "proto/smtp/client.h"

#include <string.h>

static struct smtp_client client;
static struct buf commands;
static struct smtp_client_recipient recipients[3];

static void start(const struct smtp_client_settings *settings)
{
    buf_deinit(&commands);
    buf_init(&commands, 65536);
    smtp_client_init(&client, settings);
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&commands);
    return 0;
}

/* Feeds lines, each ended by a newline, and expects the last one's step, and what has been said since. */
static void hear(const char *lines, enum smtp_client_step step, const char *said)
{
    span_t rest = span_of_text(lines);
    enum smtp_client_step last = SMTP_CLIENT_READ;
    buf_clear(&commands);
    while (rest.len > 0) {
        size_t end = span_find_byte(rest, '\n') + 1;
        assert_int_equal(last, SMTP_CLIENT_READ);
        last = smtp_client_line(&client, span_upto(rest, end), &commands);
        rest = span_from(rest, end);
    }
    assert_int_equal(last, step);
    if (!span_equal(buf_span(&commands), span_of_text(said)))
        fail_msg("said: %.*s", SPAN_PRINT(buf_span(&commands)));
}

static const struct smtp_client_settings plain = {.hostname = {(const uint8_t *)"mx.test", 7}};

static struct smtp_client_mail mail_to(size_t count)
{
    static const char *const addresses[] = {"a@x.test", "b@x.test", "c@x.test"};
    memset(recipients, 0, sizeof(recipients));
    for (size_t i = 0; i < count; i++)
        recipients[i].address = span_of_text(addresses[i]);
    return (struct smtp_client_mail){.sender = SPAN("s@y.test"), .size = 100, .recipients = recipients, .count = count};
}

static void send_mail(const struct smtp_client_mail *mail, const char *said)
{
    buf_clear(&commands);
    assert_int_equal(smtp_client_send(&client, mail, &commands), SMTP_CLIENT_READ);
    if (!span_equal(buf_span(&commands), span_of_text(said)))
        fail_msg("said: %.*s", SPAN_PRINT(buf_span(&commands)));
}

static void commands_go_out_together_where_the_server_pipelines(void **state)
{
    (void)state;
    start(&plain);
    hear("220 x.test ESMTP\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n", SMTP_CLIENT_READY, "");
    const struct smtp_client_mail mail = mail_to(2);
    send_mail(&mail, "MAIL FROM:<s@y.test> SIZE=100\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n");
    hear("250 ok\r\n250 ok\r\n550 5.1.1 nobody\r\n354 go\r\n", SMTP_CLIENT_CONTENT, "");
    assert_int_equal(recipients[1].outcome, SMTP_CLIENT_REFUSED);
    assert_int_equal(smtp_client_content(&client), SMTP_CLIENT_READ);
    hear("250 2.0.0 taken\r\n", SMTP_CLIENT_SENT, "");
    assert_int_equal(recipients[0].outcome, SMTP_CLIENT_DELIVERED);
    char status[SMTP_STATUS_MAX];
    smtp_response_status(&recipients[1].response, status);
    assert_string_equal(status, "5.1.1");
    assert_true(span_equal(smtp_response_text(&recipients[1].response), SPAN("nobody")));
}

static void one_command_at_a_time_where_it_does_not(void **state)
{
    (void)state;
    start(&plain);
    hear("220 x.test\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("502 what\r\n", SMTP_CLIENT_READ, "HELO mx.test\r\n");
    hear("250 x.test\r\n", SMTP_CLIENT_READY, "");
    const struct smtp_client_mail mail = mail_to(1);
    send_mail(&mail, "MAIL FROM:<s@y.test>\r\n");
    hear("250 ok\r\n", SMTP_CLIENT_READ, "RCPT TO:<a@x.test>\r\n");
    hear("451 4.7.1 later\r\n", SMTP_CLIENT_SENT, "");
    assert_int_equal(recipients[0].outcome, SMTP_CLIENT_DEFERRED);
    send_mail(&mail, "RSET\r\n"); /* the transaction was left open */
    hear("250 ok\r\n", SMTP_CLIENT_READ, "MAIL FROM:<s@y.test>\r\n");
}

static void a_message_for_nobody_is_only_a_dot(void **state)
{
    (void)state;
    start(&plain);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n250 PIPELINING\r\n", SMTP_CLIENT_READY, "");
    const struct smtp_client_mail mail = mail_to(1);
    send_mail(&mail, "MAIL FROM:<s@y.test>\r\nRCPT TO:<a@x.test>\r\nDATA\r\n");
    hear("250 ok\r\n550 no\r\n354 go\r\n", SMTP_CLIENT_NOTHING, "");
    assert_int_equal(smtp_client_content(&client), SMTP_CLIENT_READ);
    hear("250 ok\r\n", SMTP_CLIENT_SENT, "");
    assert_int_equal(recipients[0].outcome, SMTP_CLIENT_REFUSED);
}

static void a_binary_message_goes_in_one_chunk_once_somebody_wants_it(void **state)
{
    (void)state;
    start(&plain);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 BINARYMIME\r\n", SMTP_CLIENT_READY, "");
    struct smtp_client_mail mail = mail_to(2);
    mail.is_binary = true;
    assert_false(smtp_client_wants_less(&client, &mail));
    send_mail(&mail, "MAIL FROM:<s@y.test> BODY=BINARYMIME\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n");
    hear("250 ok\r\n250 ok\r\n550 no\r\n", SMTP_CLIENT_CHUNK, "BDAT 100 LAST\r\n");
    assert_int_equal(smtp_client_content(&client), SMTP_CLIENT_READ);
    hear("250 taken\r\n", SMTP_CLIENT_SENT, "");
    assert_int_equal(recipients[0].outcome, SMTP_CLIENT_DELIVERED);
    assert_int_equal(recipients[1].outcome, SMTP_CLIENT_REFUSED);
    send_mail(&mail, "MAIL FROM:<s@y.test> BODY=BINARYMIME\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n");
    hear("250 ok\r\n550 no\r\n550 no\r\n", SMTP_CLIENT_SENT, "");
    client.extensions &= ~(unsigned)SMTP_EXT_CHUNKING;
    assert_true(smtp_client_wants_less(&client, &mail));
}

static void nothing_said_before_tls_counts_after_it(void **state)
{
    (void)state;
    start(&plain);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n250-STARTTLS\r\n250 PIPELINING\r\n", SMTP_CLIENT_READ, "STARTTLS\r\n");
    hear("220 go\r\n", SMTP_CLIENT_TLS, "");
    buf_clear(&commands);
    assert_int_equal(smtp_client_tls(&client, &commands), SMTP_CLIENT_READ);
    assert_int_equal(client.extensions, 0);
    hear("250 x\r\n", SMTP_CLIENT_READY, "");
    assert_int_equal(client.extensions, 0);
}

static void tls_that_is_demanded_is_not_done_without(void **state)
{
    (void)state;
    struct smtp_client_settings settings = plain;
    settings.tls = SMTP_CLIENT_TLS_MUST;
    start(&settings);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250 x\r\n", SMTP_CLIENT_CLOSED, "");
    assert_int_equal(client.failure.code, 454);
}

static void a_login_is_said_only_under_tls(void **state)
{
    (void)state;
    struct smtp_client_settings settings = plain;
    settings.user = SPAN("u");
    settings.password = SPAN("p");
    start(&settings);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n250 AUTH PLAIN LOGIN\r\n", SMTP_CLIENT_CLOSED, "");
    start(&settings);
    smtp_client_is_tls(&client);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n250 AUTH PLAIN\r\n", SMTP_CLIENT_READ, "AUTH PLAIN AHUAcA==\r\n");
    hear("235 ok\r\n", SMTP_CLIENT_READY, "");
    start(&settings);
    smtp_client_is_tls(&client);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n250 AUTH LOGIN\r\n", SMTP_CLIENT_READ, "AUTH LOGIN\r\n");
    hear("334 VXNlcm5hbWU6\r\n", SMTP_CLIENT_READ, "dQ==\r\n");
    hear("334 UGFzc3dvcmQ6\r\n", SMTP_CLIENT_READ, "cA==\r\n");
    hear("535 5.7.8 no\r\n", SMTP_CLIENT_CLOSED, "");
}

static void what_is_no_reply_ends_it(void **state)
{
    (void)state;
    static const char *const lines[] = {"hello\r\n", "99 x\r\n", "220\tx\r\n", "999 x\r\n", "220 x"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        start(&plain);
        assert_int_equal(smtp_client_line(&client, span_of_text(lines[i]), &commands), SMTP_CLIENT_CLOSED);
    }
    start(&plain);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n550 x\r\n", SMTP_CLIENT_CLOSED, ""); /* two codes in one reply */
}

static void what_a_server_lacks_is_told_before_anything_is_sent(void **state)
{
    (void)state;
    const char *status = NULL;
    start(&plain);
    hear("220 x\r\n", SMTP_CLIENT_READ, "EHLO mx.test\r\n");
    hear("250-x\r\n250 SIZE 50\r\n", SMTP_CLIENT_READY, "");
    struct smtp_client_mail mail = mail_to(1);
    assert_non_null(smtp_client_lacks(&client, &mail, &status));
    assert_string_equal(status, "5.3.4");
    mail.size = 10;
    assert_null(smtp_client_lacks(&client, &mail, &status));
    mail.is_8bit = true;
    assert_non_null(smtp_client_lacks(&client, &mail, &status));
    mail.is_utf8 = true;
    assert_non_null(smtp_client_lacks(&client, &mail, &status));
    assert_string_equal(status, "5.6.7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(commands_go_out_together_where_the_server_pipelines, teardown),
        cmocka_unit_test_teardown(one_command_at_a_time_where_it_does_not, teardown),
        cmocka_unit_test_teardown(a_message_for_nobody_is_only_a_dot, teardown),
        cmocka_unit_test_teardown(a_binary_message_goes_in_one_chunk_once_somebody_wants_it, teardown),
        cmocka_unit_test_teardown(nothing_said_before_tls_counts_after_it, teardown),
        cmocka_unit_test_teardown(tls_that_is_demanded_is_not_done_without, teardown),
        cmocka_unit_test_teardown(a_login_is_said_only_under_tls, teardown),
        cmocka_unit_test_teardown(what_is_no_reply_ends_it, teardown),
        cmocka_unit_test_teardown(what_a_server_lacks_is_told_before_anything_is_sent, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
