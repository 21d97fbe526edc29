#include "base/test.h"

#include "proto/smtp/engine.h"

/* A script of lines; each row says what the engine asks for, and how the reply begins. What it asks for is answered
 * with `answer` (an enum smtp_answer, or smtp_body_end). */
struct row {
    const char *line;
    enum smtp_step step;
    int answer;
    const char *reply;
};

static struct smtp_settings settings_of(enum smtp_kind kind)
{
    return (struct smtp_settings){.kind = kind,
                                  .hostname = SPAN("mx.test"),
                                  .message_max = 1000,
                                  .recipients_max = 2,
                                  .commands_max = 100,
                                  .errors_max = 5,
                                  .can_tls = true};
}

static enum smtp_step answer_step(struct smtp_engine *engine, enum smtp_step step, int answer, struct buf *reply)
{
    switch (step) {
    case SMTP_NEED_SENDER:
        return smtp_engine_sender(engine, (enum smtp_answer)answer, reply);
    case SMTP_NEED_RECIPIENT:
        return smtp_engine_recipient(engine, (enum smtp_answer)answer, reply);
    case SMTP_NEED_LOGIN:
    case SMTP_NEED_LOGIN_END:
        return smtp_engine_login(engine, (enum smtp_answer)answer, reply);
    case SMTP_NEED_SCRAM_START:
    case SMTP_NEED_SCRAM_FINISH:
        return smtp_engine_scram(engine, SPAN("keeper"), reply);
    case SMTP_NEED_BODY:
    case SMTP_NEED_CHUNK:
        buf_clear(reply);
        return smtp_engine_body(engine, (enum smtp_body_end)answer, SPAN_NONE, reply);
    case SMTP_NEED_TLS:
        smtp_engine_tls(engine, true);
        return SMTP_GO_ON;
    case SMTP_NEED_SKIP:
    case SMTP_NEED_CLOSE:
    case SMTP_GO_ON:
        break;
    }
    return SMTP_GO_ON;
}

static void play(struct smtp_engine *engine, const struct row *rows, size_t count)
{
    AUTO_BUF struct buf reply;
    buf_init(&reply, 8192);
    for (size_t i = 0; i < count; i++) {
        buf_clear(&reply);
        enum smtp_step step = smtp_engine_line(engine, span_of_text(rows[i].line), &reply);
        if (step != rows[i].step)
            fail_msg("%s: asks for %d: %.*s", rows[i].line, (int)step, SPAN_PRINT(buf_span(&reply)));
        (void)!answer_step(engine, step, rows[i].answer, &reply);
        if (!span_starts(buf_span(&reply), span_of_text(rows[i].reply)))
            fail_msg("%s: %.*s", rows[i].line, SPAN_PRINT(buf_span(&reply)));
        assert_true(span_ends(buf_span(&reply), SPAN("\r\n")));
    }
}

#define PLAY(kind, rows) play_kind(kind, rows, COUNT_OF(rows))
static void play_kind(enum smtp_kind kind, const struct row *rows, size_t count)
{
    struct smtp_engine engine;
    struct smtp_settings settings = settings_of(kind);
    smtp_engine_init(&engine, &settings);
    play(&engine, rows, count);
    smtp_engine_deinit(&engine);
}

/* RFC 5321 §3.3 */
static void a_message_goes_through(void **state)
{
    static const struct row rows[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 2.1.0 "},
        {"RCPT TO:<c@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 2.1.5 "},
        {"DATA\r\n", SMTP_NEED_BODY, SMTP_BODY_ACCEPTED, "250 2.0.0 "},
        {"MAIL FROM:<>\r\n", SMTP_GO_ON, 0, "250 2.1.0 "},
        {"QUIT\r\n", SMTP_NEED_CLOSE, 0, "221 2.0.0 "},
    };
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
}

/* RFC 5321 §4.1.4 */
static void commands_out_of_order_are_refused(void **state)
{
    static const struct row rows[] = {
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "503 5.5.1 "}, {"HELO c.test\r\n", SMTP_GO_ON, 0, "250 mx.test"},
        {"RCPT TO:<c@d.test>\r\n", SMTP_GO_ON, 0, "503 5.5.1 "},   {"DATA\r\n", SMTP_GO_ON, 0, "503 5.5.1 "},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},       {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "503 "},
    };
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
}

/* RFC 5321 §4.1.1.5, §4.1.4 */
static void rset_and_ehlo_drop_the_transaction(void **state)
{
    static const struct row rows[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},
        {"RCPT TO:<c@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 "},
        {"RSET\r\n", SMTP_GO_ON, 0, "250 "},
        {"DATA\r\n", SMTP_GO_ON, 0, "503 "},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"RCPT TO:<c@d.test>\r\n", SMTP_GO_ON, 0, "503 "},
    };
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
}

static void recipients_are_answered_one_by_one(void **state)
{
    static const struct row rows[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},
        {"RCPT TO:<no@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_NO, "550 5.1.1 "},
        {"RCPT TO:<c@far.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_ELSEWHERE, "550 5.7.1 "},
        {"RCPT TO:<l@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_LATER, "451 4.3.0 "},
        {"DATA\r\n", SMTP_GO_ON, 0, "503 "}, /* RFC 5321 §3.3: no valid recipients */
        {"RCPT TO:<c@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 "},
        {"RCPT TO:<d@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 "},
        {"RCPT TO:<e@d.test>\r\n", SMTP_GO_ON, 0, "452 4.5.3 "}, /* RFC 5321 §4.5.3.1.10 */
    };
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
}

static void senders_are_checked(void **state)
{
    static const struct row rows[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"MAIL FROM:<a@b.test> SIZE=1001\r\n", SMTP_GO_ON, 0, "552 5.3.4 "}, /* RFC 1870 §6.1 */
        {"MAIL FROM:<\xc3\xb6@b.test>\r\n", SMTP_GO_ON, 0, "553 5.6.7 "},    /* RFC 6531 §3.5 */
        {"MAIL FROM:<a@b.test> FOO=1\r\n", SMTP_GO_ON, 0, "555 5.5.4 "},     /* RFC 5321 §4.1.1.11 */
        {"MAIL FROM:<\xc3\xb6@b.test> SMTPUTF8\r\n", SMTP_GO_ON, 0, "250 2.1.0 "},
        {"RCPT TO:<\xc3\xb6@b.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 "},
    };
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
}

/* RFC 3207 §4.2: all is forgotten; RFC 6409 §4.3, §6.1; RFC 4954 §4 */
static void submission_wants_tls_and_a_login_and_an_own_address(void **state)
{
    static const struct row rows[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "530 5.7.0 Start TLS"},
        {"AUTH PLAIN AGEAYg==\r\n", SMTP_GO_ON, 0, "538 5.7.11 "},
        {"STARTTLS\r\n", SMTP_NEED_TLS, 0, "220 2.0.0 "},
        {"AUTH PLAIN AGEAYg==\r\n", SMTP_GO_ON, 0, "503 "},
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "530 5.7.0 Log in"},
        {"AUTH PLAIN AGEAYg==\r\n", SMTP_NEED_LOGIN, SMTP_YES, "235 2.7.0 "},
        {"AUTH PLAIN AGEAYg==\r\n", SMTP_GO_ON, 0, "503 5.5.1 "},
    };
    static const struct row after[] = {
        {"MAIL FROM:<a@b.test>\r\n", SMTP_NEED_SENDER, SMTP_NO, "550 5.7.1 "},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_NEED_SENDER, SMTP_YES, "250 2.1.0 "},
    };
    struct smtp_engine engine;
    struct smtp_settings settings = settings_of(SMTP_SUBMISSION);
    (void)state;
    settings.errors_max = 10;
    smtp_engine_init(&engine, &settings);
    play(&engine, rows, COUNT_OF(rows));
    play(&engine, after, COUNT_OF(after));
    smtp_engine_deinit(&engine);
}

static void logins_by_every_mechanism(void **state)
{
    static const struct row rows[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"AUTH CRAM-MD5\r\n", SMTP_GO_ON, 0, "504 5.5.4 "},
        {"AUTH PLAIN\r\n", SMTP_GO_ON, 0, "334 \r\n"},
        {"AGEAYg==\r\n", SMTP_NEED_LOGIN, SMTP_NO, "535 5.7.8 "},
        {"AUTH LOGIN\r\n", SMTP_GO_ON, 0, "334 VXNlcm5hbWU6\r\n"},
        {"YQ==\r\n", SMTP_GO_ON, 0, "334 UGFzc3dvcmQ6\r\n"},
        {"Yg==\r\n", SMTP_NEED_LOGIN, SMTP_LATER, "454 4.7.0 "},
        {"AUTH LOGIN YQ==\r\n", SMTP_GO_ON, 0, "334 UGFzc3dvcmQ6\r\n"},
        {"*\r\n", SMTP_GO_ON, 0, "501 5.7.0 "}, /* RFC 4954 §4 */
        {"AUTH SCRAM-SHA-256-PLUS biwsbj1hLHI9Yg==\r\n", SMTP_NEED_SCRAM_START, 0, "334 a2VlcGVy\r\n"},
        {"Yz1iaXdz\r\n", SMTP_NEED_SCRAM_FINISH, 0, "334 a2VlcGVy\r\n"},
        {"\r\n", SMTP_NEED_LOGIN_END, SMTP_YES, "235 2.7.0 "},
    };
    struct smtp_engine engine;
    struct smtp_settings settings = settings_of(SMTP_SUBMISSION);
    (void)state;
    smtp_engine_init(&engine, &settings);
    smtp_engine_tls(&engine, true);
    play(&engine, rows, COUNT_OF(rows));
    smtp_engine_deinit(&engine);
}

/* RFC 3207 §5 */
static void what_is_pipelined_behind_starttls_is_refused(void **state)
{
    struct smtp_engine engine;
    struct smtp_settings settings = settings_of(SMTP_RECEIVING);
    AUTO_BUF struct buf reply;
    (void)state;
    buf_init(&reply, 8192);
    smtp_engine_init(&engine, &settings);
    assert_int_equal(smtp_engine_line(&engine, SPAN("EHLO c.test\r\n"), &reply), SMTP_GO_ON);
    assert_true(span_find(buf_span(&reply), SPAN("STARTTLS\r\n")) < buf_len(&reply));
    engine.more_input = true;
    buf_clear(&reply);
    assert_int_equal(smtp_engine_line(&engine, SPAN("STARTTLS\r\n"), &reply), SMTP_NEED_CLOSE);
    assert_true(span_starts(buf_span(&reply), SPAN("554 5.5.1 ")));
    smtp_engine_deinit(&engine);
}

/* RFC 3030 §2 */
static void chunks_make_a_message(void **state)
{
    static const struct row rows[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"MAIL FROM:<a@b.test> BODY=BINARYMIME\r\n", SMTP_GO_ON, 0, "250 "},
        {"RCPT TO:<c@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 "},
        {"DATA\r\n", SMTP_GO_ON, 0, "503 "},
        {"BDAT 500\r\n", SMTP_NEED_CHUNK, SMTP_BODY_CHUNK, "250 "},
        {"DATA\r\n", SMTP_GO_ON, 0, "503 "}, /* RFC 3030 §2: not after BDAT */
        {"BDAT 500 LAST\r\n", SMTP_NEED_CHUNK, SMTP_BODY_ACCEPTED, "250 "},
        {"BDAT 3 LAST\r\n", SMTP_NEED_SKIP, 0, "503 "},
    };
    static const struct row large[] = {
        {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},
        {"RCPT TO:<c@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 "},
        {"BDAT 900\r\n", SMTP_NEED_CHUNK, SMTP_BODY_CHUNK, "250 "},
        {"BDAT 101\r\n", SMTP_NEED_SKIP, 0, "552 5.3.4 "},
        {"BDAT 10 LAST\r\n", SMTP_NEED_SKIP, 0, "503 "},
        {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},
        {"BDAT x\r\n", SMTP_NEED_CLOSE, 0, "501 "},
    };
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
    PLAY(SMTP_RECEIVING, large);
}

static void who_makes_only_mistakes_is_sent_away(void **state)
{
    static const struct row rows[] = {
        {"A\r\n", SMTP_GO_ON, 0, "500 5.5.2 "},      {"EXPN x\r\n", SMTP_GO_ON, 0, "502 5.5.1 "},
        {"DATA x\r\n", SMTP_GO_ON, 0, "501 5.5.4 "}, {"AUTH PLAIN\r\n", SMTP_GO_ON, 0, "503 "},
        {"A\r\n", SMTP_NEED_CLOSE, 0, "500 "},
    };
    static const struct row bare[] = {{"NOOP\n", SMTP_NEED_CLOSE, 0, "500 5.5.2 "}};
    static const struct row many[] = {{"NOOP\r\n", SMTP_NEED_CLOSE, 0, "421 4.7.0 "}};
    struct smtp_engine engine;
    struct smtp_settings settings = settings_of(SMTP_RECEIVING);
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
    PLAY(SMTP_RECEIVING, bare);
    settings.commands_max = 0;
    smtp_engine_init(&engine, &settings);
    play(&engine, many, COUNT_OF(many));
    smtp_engine_deinit(&engine);
}

static void the_message_has_its_own_replies(void **state)
{
    static const struct {
        enum smtp_body_end end;
        const char *reply;
    } ends[] = {
        {SMTP_BODY_LATER, "451 4.3.0 "},         {SMTP_BODY_REFUSED, "550 5.7.1 "},
        {SMTP_BODY_TOO_LARGE, "552 5.3.4 "},     {SMTP_BODY_LOOP, "554 5.4.6 "},
        {SMTP_BODY_BARE_NEWLINE, "554 5.6.11 "}, {SMTP_BODY_FULL, "452 4.3.1 "},
        {SMTP_BODY_LONG_LINE, "554 5.6.0 "},     {SMTP_BODY_UNREADABLE, "550 5.6.0 "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct row rows[] = {
            {"EHLO c.test\r\n", SMTP_GO_ON, 0, "250-"},
            {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},
            {"RCPT TO:<c@d.test>\r\n", SMTP_NEED_RECIPIENT, SMTP_YES, "250 "},
            {"DATA\r\n", SMTP_NEED_BODY, (int)ends[i].end, ends[i].reply},
            {"MAIL FROM:<a@b.test>\r\n", SMTP_GO_ON, 0, "250 "},
        };
        PLAY(SMTP_RECEIVING, rows);
    }
}

static void small_talk(void **state)
{
    static const struct row rows[] = {
        {"NOOP\r\n", SMTP_GO_ON, 0, "250 2.0.0 "},     {"HELP\r\n", SMTP_GO_ON, 0, "214 2.0.0 "},
        {"VRFY alice\r\n", SMTP_GO_ON, 0, "252 "},     {"RSET\r\n", SMTP_GO_ON, 0, "250 "},
        {"STARTTLS\r\n", SMTP_GO_ON, 0, "503 5.5.1 "},
    };
    (void)state;
    PLAY(SMTP_RECEIVING, rows);
}

/* Lines that come with more behind them, or without: what becomes of those who do not wait. */
static const struct {
    const char *line;
    bool has_more;
    enum smtp_step step;
    const char *reply;
} turns[] = {
    {"EHLO client.test\r\n", false, SMTP_GO_ON, "250-"},
    {"MAIL FROM:<a@b.test>\r\n", true, SMTP_GO_ON, "250 2.1.0"}, /* RFC 2920 §3.1: a group */
    {"RCPT TO:<me@mx.test>\r\n", true, SMTP_NEED_RECIPIENT, ""},
    {"DATA\r\n", true, SMTP_NEED_CLOSE, "554 5.5.0"},
    {"RSET\r\n", true, SMTP_GO_ON, "250"},
    {"EHLO client.test\r\n", true, SMTP_NEED_CLOSE, "554 5.5.0"},
    {"HELO client.test\r\n", true, SMTP_NEED_CLOSE, "554 5.5.0"},
    {"HELO client.test\r\n", false, SMTP_GO_ON, "250"},
    {"MAIL FROM:<a@b.test>\r\n", true, SMTP_NEED_CLOSE, "554 5.5.0"}, /* who says HELO knows of no groups */
    {"QUIT\r\n", true, SMTP_NEED_CLOSE, "221"},
};

static void who_does_not_wait_for_an_answer_is_sent_away(void **state)
{
    (void)state;
    AUTO_BUF struct buf reply;
    struct smtp_engine engine;
    struct smtp_settings settings = settings_of(SMTP_RECEIVING);
    settings.turn = SMTP_STRICT;
    settings.errors_max = 100;
    buf_init(&reply, 8192);
    smtp_engine_init(&engine, &settings);
    for (size_t at = 0; at < COUNT_OF(turns); at++) {
        buf_clear(&reply);
        engine.more_input = turns[at].has_more;
        enum smtp_step step = smtp_engine_line(&engine, span_of_text(turns[at].line), &reply);
        if (step != turns[at].step || !span_starts(buf_span(&reply), span_of_text(turns[at].reply)))
            fail_msg("%s: step %d, %.*s", turns[at].line, (int)step, SPAN_PRINT(buf_span(&reply)));
        if (step == SMTP_NEED_RECIPIENT)
            assert_int_equal(smtp_engine_recipient(&engine, SMTP_YES, &reply), SMTP_GO_ON);
    }
    assert_true(engine.out_of_turn);
    buf_clear(&reply);
    assert_int_equal(smtp_engine_early(&engine, &reply), SMTP_NEED_CLOSE);
    assert_true(span_starts(buf_span(&reply), SPAN("554 5.5.0")));
    smtp_engine_deinit(&engine);
}

static void who_does_not_wait_is_only_marked_where_that_is_wanted(void **state)
{
    (void)state;
    AUTO_BUF struct buf reply;
    for (enum smtp_strictness turn = SMTP_LENIENT; turn <= SMTP_MARKING; turn++) {
        struct smtp_engine engine;
        struct smtp_settings settings = settings_of(SMTP_RECEIVING);
        settings.turn = turn;
        buf_init(&reply, 8192);
        smtp_engine_init(&engine, &settings);
        engine.more_input = true;
        assert_int_equal(smtp_engine_line(&engine, SPAN("EHLO client.test\r\n"), &reply), SMTP_GO_ON);
        assert_true(span_starts(buf_span(&reply), SPAN("250-mx.test")));
        assert_int_equal(engine.out_of_turn, turn == SMTP_MARKING);
        smtp_engine_deinit(&engine);
        buf_deinit(&reply);
    }
}

static void a_name_that_cannot_be_the_clients_is_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"EHLO mx.test\r\n", SMTP_GO_ON, 0, "550 5.7.1"},       {"HELO localhost\r\n", SMTP_GO_ON, 0, "550 5.7.1"},
        {"EHLO 192.0.2.1\r\n", SMTP_GO_ON, 0, "501 5.5.2"},     {"MAIL FROM:<>\r\n", SMTP_GO_ON, 0, "503"},
        {"EHLO client.test\r\n", SMTP_GO_ON, 0, "250-mx.test"}, {"MAIL FROM:<>\r\n", SMTP_GO_ON, 0, "250"},
    };
    struct smtp_engine engine;
    struct smtp_settings settings = settings_of(SMTP_RECEIVING);
    settings.helo = SMTP_STRICT;
    settings.errors_max = 100;
    smtp_engine_init(&engine, &settings);
    play(&engine, rows, COUNT_OF(rows));
    assert_int_equal(engine.helo_fault, SMTP_HELO_FINE);
    smtp_engine_deinit(&engine);
    AUTO_BUF struct buf reply;
    buf_init(&reply, 8192);
    settings.helo = SMTP_MARKING;
    smtp_engine_init(&engine, &settings);
    assert_int_equal(smtp_engine_line(&engine, SPAN("EHLO mx.test\r\n"), &reply), SMTP_GO_ON);
    assert_true(span_starts(buf_span(&reply), SPAN("250-mx.test")));
    assert_int_equal(engine.helo_fault, SMTP_HELO_OURS);
    smtp_engine_deinit(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_through),
        cmocka_unit_test(commands_out_of_order_are_refused),
        cmocka_unit_test(rset_and_ehlo_drop_the_transaction),
        cmocka_unit_test(recipients_are_answered_one_by_one),
        cmocka_unit_test(senders_are_checked),
        cmocka_unit_test(submission_wants_tls_and_a_login_and_an_own_address),
        cmocka_unit_test(logins_by_every_mechanism),
        cmocka_unit_test(what_is_pipelined_behind_starttls_is_refused),
        cmocka_unit_test(chunks_make_a_message),
        cmocka_unit_test(who_makes_only_mistakes_is_sent_away),
        cmocka_unit_test(the_message_has_its_own_replies),
        cmocka_unit_test(small_talk),
        cmocka_unit_test(who_does_not_wait_for_an_answer_is_sent_away),
        cmocka_unit_test(who_does_not_wait_is_only_marked_where_that_is_wanted),
        cmocka_unit_test(a_name_that_cannot_be_the_clients_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
