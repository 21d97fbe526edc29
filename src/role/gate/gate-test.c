#include "base/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/body.h"
#include "role/fixture.h"
#include "role/gate/gate.h"

/*
 * A gate between real sockets: its clients on one side, on the other a keeper and an intake played by this test, all
 * on one loop. Everything but TLS and confinement is the real thing.
 */
struct stage {
    struct loop *loop;
    struct conf *conf;
    struct gate gate;
    struct channel *supervisor;
    struct channel *keeper;
    struct channel *intake;
    struct task_group tasks;
    uint16_t port;
    struct buf content; /* of the last message that intake has read */
    bool is_complete;
    uint32_t outcome; /* what intake says */
    const struct talk *talk;
    bool is_done;
};

#define PATIENCE_MS 5000

/* A line to say, or NULL, and how the next reply begins, or NULL. "" waits for the end of the connection. */
struct talk {
    const char *say;
    const char *hear;
};

/* --- the other rooms --------------------------------------------------------------------------------------------- */

static void on_keeper_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    static const uint8_t row[RECIPIENT_ROW_SIZE] = {7};
    static const uint8_t queue[RECIPIENT_ROW_SIZE] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    bool is_alice = span_equal(message->resolve.address, SPAN("alice@demo.test"));
    bool is_ours = span_ends(message->resolve.address, SPAN("@demo.test"));
    struct ipc_message reply = {.type = IPC_resolved,
                                .resolved = {.outcome = is_alice  ? RESOLVE_LOCAL
                                                        : is_ours ? RESOLVE_UNKNOWN
                                                                  : RESOLVE_REMOTE,
                                             .recipients = is_alice  ? span_of(row, sizeof(row))
                                                           : is_ours ? SPAN_NONE
                                                                     : span_of(queue, sizeof(queue))}};
    (void)arg;
    assert_int_equal(message->type, IPC_resolve);
    assert_int_equal(channel_reply(channel, message->call, &reply), 0);
    ipc_message_free(message);
}

struct delivery {
    struct stage *stage;
    struct channel *channel;
    struct ipc_message *message;
};

static void run_intake(struct task *task, void *arg)
{
    AUTO_FREE struct delivery *delivery = arg;
    AUTO(ipc_message) struct ipc_message *message = delivery->message;
    AUTO(body_reader) struct body_reader *reader = NULL;
    struct stage *stage = delivery->stage;
    static uint8_t room[70000];
    size_t len = 0;
    buf_clear(&stage->content);
    assert_int_equal(buf_append(&stage->content, message->deliver.content), 0);
    int result = BODY_COMPLETE;
    if (buf_len(&stage->content) == 0) {
        assert_int_equal(body_reader_new(stage->loop, ipc_message_take_fd(message, 0), &reader), 0);
        result = body_read(task, reader, room, sizeof(room), PATIENCE_MS, &len);
    }
    for (; result == BODY_DATA; result = body_read(task, reader, room, sizeof(room), PATIENCE_MS, &len))
        assert_int_equal(buf_append(&stage->content, span_of(room, len)), 0);
    stage->is_complete = result == BODY_COMPLETE;
    struct ipc_message reply = {.type = IPC_delivered, .delivered = {.outcome = stage->outcome}};
    (void)!channel_reply(delivery->channel, message->call, &reply);
}

static void on_intake_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct delivery *delivery = mem_new(sizeof(*delivery));
    struct stage *stage = arg;
    assert_non_null(delivery);
    *delivery = (struct delivery){stage, channel, message};
    assert_int_equal(message->type, IPC_deliver);
    assert_int_equal(task_group_spawn(&stage->tasks, stage->loop, "test.intake", run_intake, delivery), 0);
}

static void drop_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    (void)arg;
    (void)channel;
    ipc_message_free(message);
}

static const struct channel_hooks supervisor_hooks = {.message = drop_message};
static const struct channel_hooks keeper_hooks = {.message = on_keeper_message};
static const struct channel_hooks intake_hooks = {.message = on_intake_message};
static const struct wiring_hooks gate_hooks = {.message = drop_message};

/* --- the stage -------------------------------------------------------------------------------------------------------
 */

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void stage_open(struct stage *stage, enum ipc_service service, const char *settings)
{
    struct conf_error error;
    int fds[2];
    *stage = (struct stage){0};
    buf_init(&stage->content, 1U << 20);
    task_group_init(&stage->tasks);
    assert_int_equal(conf_parse(span_of_text(settings), "test", &stage->conf, &error), 0);
    assert_int_equal(loop_new(&stage->loop), 0);
    assert_int_equal(channel_pair(fds), 0);
    assert_int_equal(
        channel_new(stage->loop, fds[0], ROLE_SUPERVISOR, ROLE_GATE, &supervisor_hooks, stage, &stage->supervisor), 0);
    struct gate *gate = &stage->gate;
    gate->conf = stage->conf;
    gate->loop = stage->loop;
    list_init(&gate->splices);
    event_init(&gate->wired);
    event_init(&gate->confined);
    event_raise(&gate->confined);
    task_group_init(&gate->listeners);
    assert_int_equal(map_new(&gate->addresses), 0);
    assert_int_equal(wiring_new(stage->loop, fds[1], ROLE_GATE, &gate_hooks, gate, &gate->wiring), 0);
    stage->keeper = fixture_wire(stage->supervisor, stage->loop, ROLE_GATE, ROLE_KEEPER, &keeper_hooks, stage);
    stage->intake = fixture_wire(stage->supervisor, stage->loop, ROLE_GATE, ROLE_INTAKE, &intake_hooks, stage);
    assert_int_equal(gate_listen(gate, service, listen_somewhere(&stage->port)), 0);
}

static void stage_close(struct stage *stage)
{
    assert_int_equal(loop_finish(stage->loop, PATIENCE_MS), 0);
    assert_int_equal(stage->gate.connections, 0);
    splice_end_all(&stage->gate);
    wiring_free(stage->gate.wiring);
    map_free(stage->gate.addresses);
    channel_free(stage->keeper);
    channel_free(stage->intake);
    channel_free(stage->supervisor);
    loop_free(stage->loop);
    conf_free(stage->conf);
    buf_deinit(&stage->content);
}

static struct stream *dial(struct stage *stage)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(stage->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct stream *stream = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(stream_new(stage->loop, fd, &stream), 0);
    return stream;
}

/* The last line of the next reply. */
static void hear(struct task *task, struct stream *stream, const char *expected)
{
    span_t line = SPAN_NONE;
    int result = STREAM_OK;
    do
        result = stream_read_line(task, stream, 4096, PATIENCE_MS, &line);
    while (result == STREAM_OK && line.len > 3 && line.at[3] == '-');
    if (expected[0] == '\0') {
        assert_true(result == STREAM_END || result == -ECONNRESET);
        return;
    }
    if (result != STREAM_OK || !span_starts(line, span_of_text(expected)))
        fail_msg("%s expected, result %d: %.*s", expected, result, SPAN_PRINT(line));
}

static void run_client(struct task *task, void *arg)
{
    struct stage *stage = arg;
    AUTO(stream) struct stream *stream = dial(stage);
    for (const struct talk *talk = stage->talk; talk->say != NULL || talk->hear != NULL; talk++) {
        if (talk->say != NULL) {
            assert_int_equal(stream_write_text(task, stream, talk->say, PATIENCE_MS), 0);
            assert_int_equal(stream_flush(task, stream, PATIENCE_MS), 0);
        }
        if (talk->hear != NULL)
            hear(task, stream, talk->hear);
    }
    stage->is_done = true;
    loop_stop(stage->loop);
}

static void converse(struct stage *stage, const struct talk *talk)
{
    stage->talk = talk;
    stage->is_done = false;
    assert_int_equal(task_spawn(stage->loop, "test.client", run_client, stage, NULL), 0);
    assert_int_equal(loop_run(stage->loop), 0);
    assert_true(stage->is_done);
}

#define SETTINGS "[server]\nhostname = mx.test\n[smtp]\nmessage_max = 64K\nerrors_max = 5\nline_max = 1000\n"
#define ENVELOPE "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@demo.test>\r\n"

/* A client and nothing else. */
static void play(enum ipc_service service, const char *settings, const struct talk *talk)
{
    struct stage stage;
    stage_open(&stage, service, settings);
    converse(&stage, talk);
    stage_close(&stage);
}

/* --- tests ---------------------------------------------------------------------------------------------------------
 */

static void a_message_reaches_intake_byte_for_byte(void **state)
{
    static const struct talk talk[] = {{NULL, "220 mx.test"}, {ENVELOPE "DATA\r\n", "250 "},
                                       {NULL, "250 2.1.0"},   {NULL, "250 2.1.5"},
                                       {NULL, "354 "},        {"Subject: x\r\n\r\n..dot\r\n.\r\n", "250 2.0.0"},
                                       {"QUIT\r\n", "221 "},  {NULL, ""},
                                       {NULL, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, SERVICE_SMTP, SETTINGS);
    converse(&stage, talk);
    assert_true(stage.is_complete);
    assert_true(span_equal(buf_span(&stage.content), SPAN("Subject: x\r\n\r\n.dot\r\n")));
    stage_close(&stage);
}

static void recipients_are_looked_up(void **state)
{
    static const struct talk talk[] = {{NULL, "220 "},
                                       {"EHLO c\r\n", "250 "},
                                       {"MAIL FROM:<a@b.test>\r\n", "250 "},
                                       {"RCPT TO:<x@demo.test>\r\n", "550 5.1.1"},
                                       {"RCPT TO:<x@far.test>\r\n", "550 5.7.1"},
                                       {"DATA\r\n", "503 "},
                                       {NULL, NULL}};
    (void)state;
    play(SERVICE_SMTP, SETTINGS, talk);
}

/* The size limit holds while the message is flowing, and its end is still found. */
static void a_message_over_the_limit_is_refused_at_its_end(void **state)
{
    AUTO_BUF struct buf large;
    (void)state;
    buf_init(&large, 1U << 20);
    for (unsigned i = 0; i < 1000; i++)
        buf_append_format(&large, "%099u\r\n", i);
    buf_append(&large, SPAN(".\r\n"));
    buf_append_byte(&large, 0);
    assert_int_equal(buf_fault(&large), 0);
    struct talk talk[] = {{NULL, "220 "},       {ENVELOPE, "250 "},   {NULL, "250 "},
                          {NULL, "250 "},       {"DATA\r\n", "354 "}, {(const char *)buf_span(&large).at, "552 5.3.4"},
                          {"NOOP\r\n", "250 "}, {NULL, NULL}};
    struct stage stage;
    stage_open(&stage, SERVICE_SMTP, SETTINGS);
    converse(&stage, talk);
    assert_false(stage.is_complete);
    stage_close(&stage);
}

/* RFC 5321 §2.3.8 */
static void smuggled_ends_are_no_ends(void **state)
{
    static const struct talk talk[] = {{NULL, "220 "},
                                       {ENVELOPE, "250 "},
                                       {NULL, "250 "},
                                       {NULL, "250 "},
                                       {"DATA\r\n", "354 "},
                                       {"x\n.\r\nMAIL FROM:<z@z.test>\r\n.\r\n", "554 5.6.11"},
                                       {"RCPT TO:<alice@demo.test>\r\n", "503 "},
                                       {NULL, NULL}};
    (void)state;
    play(SERVICE_SMTP, SETTINGS, talk);
}

static void rooms_that_are_gone_mean_later(void **state)
{
    static const struct talk talk[] = {{NULL, "220 "}, {ENVELOPE, "250 "},   {NULL, "250 "},
                                       {NULL, "250 "}, {"DATA\r\n", "354 "}, {"x\r\n.\r\n", "451 4.3.0"},
                                       {NULL, NULL}};
    static const struct talk lookup[] = {
        {NULL, "220 "}, {ENVELOPE, "250 "}, {NULL, "250 "}, {NULL, "451 4.3.0"}, {NULL, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, SERVICE_SMTP, SETTINGS);
    channel_close(stage.intake);
    converse(&stage, talk);
    channel_close(stage.keeper);
    converse(&stage, lookup);
    stage_close(&stage);
}

static void bad_clients_are_sent_away(void **state)
{
    static const struct talk mistakes[] = {{NULL, "220 "},      {"A\r\nB\r\nC\r\nD\r\nE\r\n", "500 "},
                                           {NULL, "500 "},      {NULL, "500 "},
                                           {NULL, "500 "},      {NULL, "500 "},
                                           {NULL, "421 4.7.0"}, {NULL, ""},
                                           {NULL, NULL}};
    static const struct talk handshake[] = {{"\x16\x03\x01", "220 "}, {NULL, "554 5.5.1"}, {NULL, ""}, {NULL, NULL}};
    static const struct talk newline[] = {{NULL, "220 "}, {"NOOP\nNOOP\r\n", "500 5.5.2"}, {NULL, ""}, {NULL, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, SERVICE_SMTP, SETTINGS);
    converse(&stage, mistakes);
    converse(&stage, handshake);
    converse(&stage, newline);
    stage_close(&stage);
}

static void one_connection_too_many_is_told_so(void **state)
{
    static const struct talk talk[] = {{NULL, "421 4.7.0"}, {NULL, ""}, {NULL, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, SERVICE_SMTP, "[smtp]\nconnections_per_address = 1\n");
    struct stream *first = dial(&stage);
    converse(&stage, talk);
    stream_free(first);
    stage_close(&stage);
}

static void imap_keeps_passwords_out_of_clear_text(void **state)
{
    static const struct talk talk[] = {{NULL, "* OK [CAPABILITY "},
                                       {"a LOGIN alice@demo.test x\r\n", "a NO [PRIVACYREQUIRED]"},
                                       {"b AUTHENTICATE PLAIN\r\n", "b NO [PRIVACYREQUIRED]"},
                                       {"c SELECT INBOX\r\n", "c BAD"},
                                       {"d LOGOUT\r\n", "* BYE"},
                                       {NULL, "d OK"},
                                       {NULL, ""},
                                       {NULL, NULL}};
    (void)state;
    play(SERVICE_IMAP, SETTINGS, talk);
}

/* RFC 1939 §4, RFC 2595 §2.3 */
static void pop3_keeps_passwords_out_of_clear_text(void **state)
{
    static const struct talk talk[] = {{NULL, "+OK mx.test"},
                                       {"USER alice@demo.test\r\n", "-ERR Start TLS first"},
                                       {"PASS x\r\n", "-ERR Start TLS first"},
                                       {"AUTH PLAIN AGEAYg==\r\n", "-ERR Start TLS first"},
                                       {"STLS\r\n", "-ERR TLS is on already, or not available"},
                                       {"STAT\r\n", "-ERR Log in first"},
                                       {"QUIT\r\n", "+OK"},
                                       {NULL, ""},
                                       {NULL, NULL}};
    static const struct talk handshake[] = {
        {"\x16\x03\x01", "+OK "}, {NULL, "-ERR This port starts in clear"}, {NULL, ""}, {NULL, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, SERVICE_POP3, SETTINGS);
    converse(&stage, talk);
    converse(&stage, handshake);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_reaches_intake_byte_for_byte),
        cmocka_unit_test(recipients_are_looked_up),
        cmocka_unit_test(a_message_over_the_limit_is_refused_at_its_end),
        cmocka_unit_test(smuggled_ends_are_no_ends),
        cmocka_unit_test(rooms_that_are_gone_mean_later),
        cmocka_unit_test(bad_clients_are_sent_away),
        cmocka_unit_test(one_connection_too_many_is_told_so),
        cmocka_unit_test(imap_keeps_passwords_out_of_clear_text),
        cmocka_unit_test(pop3_keeps_passwords_out_of_clear_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
