#include "base/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "crypto/kdf.h"
#include "crypto/recordkey.h"
#include "ipc/body.h"
#include "ipc/channel.h"
#include "role/fixture.h"
#include "role/intake/intake.h"
#include "role/start.h"
#include "rt/task.h"

/* The real role in a process of its own; the test plays supervisor, gate, keeper and store. */
struct stage {
    struct loop *loop;
    struct channel *supervisor;
    struct channel *gate;
    struct channel *keeper;
    struct channel *store;
    struct task_group tasks;
    task_function *function;
    uint8_t public_key[KEY_SIZE];
    struct secret *private_key;
    enum append_outcome outcome; /* what the store answers */
    uint8_t key[RECORD_KEY_SIZE];
    size_t recipients;
    struct buf sealed; /* the last body that was stored */
    bool finished;
};

#define ACCOUNT 5U
#define WAIT 5000

struct storing {
    struct stage *stage;
    struct channel *channel;
    struct ipc_message *message;
};

static void store_task(struct task *task, void *arg)
{
    AUTO_FREE struct storing *storing = arg;
    struct stage *stage = storing->stage;
    struct ipc_message *message = storing->message;
    AUTO(body_reader) struct body_reader *reader = NULL;
    buf_clear(&stage->sealed);
    static uint8_t room[70000];
    size_t len = 0;
    int result = BODY_COMPLETE;
    assert_int_equal(buf_append(&stage->sealed, message->append.content), 0);
    assert_true((buf_len(&stage->sealed) > 0) == (message->append.length <= BODY_SMALL_MAX));
    if (buf_len(&stage->sealed) == 0) {
        assert_int_equal(body_reader_new(stage->loop, ipc_message_take_fd(message, 0), &reader), 0);
        while ((result = body_read(task, reader, room, sizeof(room), WAIT, &len)) == BODY_DATA)
            assert_int_equal(buf_append(&stage->sealed, span_of(room, len)), 0);
    }
    assert_int_equal(result, BODY_COMPLETE);
    assert_int_equal(buf_len(&stage->sealed), message->append.length);
    stage->recipients = message->append.recipients.len / KEY_ROW_SIZE;
    assert_int_equal(bytes_get_u64(message->append.recipients.at), ACCOUNT);
    memcpy(stage->key, message->append.recipients.at + 8, RECORD_KEY_SIZE);
    struct ipc_message reply = {.type = IPC_appended, .appended = {.outcome = stage->outcome}};
    assert_int_equal(channel_reply(storing->channel, message->call, &reply), 0);
    ipc_message_free(message);
}

/* The keeper knows one address. */
static void keeper_answer(struct channel *channel, const struct ipc_message *message)
{
    uint8_t row[RECIPIENT_ROW_SIZE] = {0};
    bytes_put_u64(row, ACCOUNT);
    struct ipc_message reply = {.type = IPC_resolved, .resolved = {.outcome = RESOLVE_UNKNOWN}};
    if (span_equal(message->resolve.address, SPAN("me@example.net")))
        reply.resolved = (struct ipc_resolved){.outcome = RESOLVE_LOCAL, .recipients = span_of(row, sizeof(row))};
    assert_int_equal(channel_reply(channel, message->call, &reply), 0);
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct stage *stage = arg;
    if (message->type == IPC_append) {
        struct storing *storing = mem_new(sizeof(*storing));
        assert_non_null(storing);
        *storing = (struct storing){stage, channel, message};
        assert_int_equal(task_group_spawn(&stage->tasks, stage->loop, "store", store_task, storing), 0);
        return;
    }
    if (message->type == IPC_resolve)
        keeper_answer(channel, message);
    ipc_message_free(message);
}

static const struct channel_hooks hooks = {.message = on_message};

static void child_run(const void *arg, int fd)
{
    (void)arg;
    struct conf *conf = NULL;
    struct conf_error error;
    if (conf_parse(
            SPAN("[server]\nuser = root\nhostname = mx.example.net\n[smtp]\nmessage_max = 1M\n"
                 "[intake]\nmemory_max = 4M\n[trust]\nlocal = 192.0.2.0/24\n[filter]\nrspamd = off\nclamd = off\n"),
            "test", &conf, &error) != 0)
        _exit(70);
    const struct role_start start = {.conf = conf, .data = "/tmp", .count = 1, .supervisor_fd = fd};
    _exit(intake_run(&start));
}

static struct channel *wired(struct stage *stage, enum ipc_role role)
{
    return fixture_wire(stage->supervisor, stage->loop, ROLE_INTAKE, role, &hooks, stage);
}

static void main_task(struct task *task, void *arg)
{
    struct stage *stage = arg;
    stage->gate = wired(stage, ROLE_GATE);
    stage->keeper = wired(stage, ROLE_KEEPER);
    stage->store = wired(stage, ROLE_STORE);
    fixture_begin(task, stage->supervisor, WAIT);
    stage->function(task, stage);
    stage->finished = true;
    loop_stop(stage->loop);
}

static void stage_run(task_function *function)
{
    struct stage stage = {.function = function, .outcome = APPEND_OK};
    pid_t child = fixture_start(ROLE_INTAKE, child_run, &hooks, &stage, &stage.loop, &stage.supervisor);
    struct secret *root = NULL;
    assert_int_equal(secret_new_random(KEY_SIZE, &root), 0);
    assert_int_equal(kdf_sealing_pair(root, stage.public_key, &stage.private_key), 0);
    buf_init(&stage.sealed, 8U << 20);
    task_group_init(&stage.tasks);
    assert_int_equal(task_spawn(stage.loop, "test", main_task, &stage, NULL), 0);
    assert_int_equal(loop_run(stage.loop), 0);
    assert_true(stage.finished);
    channel_free(stage.gate);
    channel_free(stage.keeper);
    channel_free(stage.store);
    channel_free(stage.supervisor);
    loop_free(stage.loop);
    fixture_join(child);
    buf_deinit(&stage.sealed);
    secret_free(stage.private_key);
    secret_free(root);
}

struct writing {
    struct body_writer *writer;
    span_t bytes;
};

/* Intake may stop reading before all is written. */
static void write_task(struct task *task, void *arg)
{
    struct writing *writing = arg;
    int result = body_write(task, writing->writer, writing->bytes, WAIT);
    if (result == 0)
        result = body_finish(task, writing->writer, SPAN_NONE, WAIT);
    assert_true(result == 0 || result == -EPIPE || result == -ECONNRESET);
}

static int call_intake(struct task *task, struct stage *stage, struct ipc_message *request)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    assert_int_equal(channel_call_within(task, stage->gate, request, WAIT, &reply), 0);
    return (int)reply->delivered.outcome;
}

/* As a body stream, whatever its size. */
static int call_with_stream(struct task *task, struct stage *stage, struct ipc_message *request, span_t message)
{
    int fds[2];
    assert_int_equal(body_pair(fds), 0);
    struct writing writing = {.bytes = message};
    assert_int_equal(body_writer_new(stage->loop, fds[0], &writing.writer), 0);
    struct task_group group;
    task_group_init(&group);
    assert_int_equal(task_group_spawn(&group, stage->loop, "write", write_task, &writing), 0);
    request->fd_count = 1;
    request->fds[0] = fds[1];
    int outcome = call_intake(task, stage, request);
    task_group_wait(task, &group);
    body_writer_free(writing.writer);
    return outcome;
}

/* Delivers, to one account that stands twice among the recipients: the outcome. Small messages go both ways. */
static int deliver(struct task *task, struct stage *stage, span_t message, uint32_t flags)
{
    uint8_t rows[2 * RECIPIENT_ROW_SIZE];
    bytes_put_u64(rows, ACCOUNT);
    memcpy(rows + 8, stage->public_key, KEY_SIZE);
    memcpy(rows + RECIPIENT_ROW_SIZE, rows, RECIPIENT_ROW_SIZE);
    struct ipc_message request = {.type = IPC_deliver,
                                  .deliver = {.flags = flags,
                                              .account = (flags & DELIVER_SUBMISSION) != 0 ? ACCOUNT : 0,
                                              .client = SPAN("192.0.2.7"),
                                              .helo = SPAN("mail.example.org"),
                                              .sender = SPAN("ann@example.org"),
                                              .recipients = span_of(rows, sizeof(rows))}};
    int streamed = call_with_stream(task, stage, &request, message);
    if (message.len == 0 || message.len > BODY_SMALL_MAX)
        return streamed;
    request.deliver.content = message;
    assert_int_equal(call_intake(task, stage, &request), streamed);
    return streamed;
}

/* What the recipient will read. */
static void open_stored(struct stage *stage, struct buf *plain, span_t *ret_message)
{
    AUTO(secret) struct secret *key = NULL;
    AUTO(record_receiver) struct record_receiver *receiver = NULL;
    struct record_meta meta;
    assert_int_equal(record_receiver_new(stage->public_key, stage->private_key, &receiver), 0);
    assert_int_equal(record_key_open(receiver, stage->key, &key), RECORD_OK);
    assert_int_equal(record_open(key, buf_span(&stage->sealed), plain, &meta, ret_message), RECORD_OK);
    assert_int_equal(meta.kind, RECORD_DELIVERY);
    assert_true(span_equal(meta.return_path, SPAN("ann@example.org")));
}

static void plain_delivery(struct task *task, void *arg)
{
    struct stage *stage = arg;
    span_t sent = SPAN("Return-Path: <liar>\r\nSubject: x\r\nBcc: y\r\n\r\nbody\r\n");
    assert_int_equal(deliver(task, stage, sent, 0), DELIVER_OK);
    assert_int_equal(stage->recipients, 1); /* an account that stands there twice gets it once */
    struct buf plain;
    buf_init(&plain, 1U << 20);
    span_t message;
    open_stored(stage, &plain, &message);
    assert_true(
        span_starts(message, SPAN("Return-Path: <ann@example.org>\r\nReceived: from mail.example.org ([192.0.2.7])\r\n"
                                  "\tby mx.example.net with ESMTP id ")));
    assert_true(span_ends(message, SPAN(" +0000\r\nSubject: x\r\nBcc: y\r\n\r\nbody\r\n")));
    buf_deinit(&plain);
}

static void a_delivery_is_stamped_sealed_and_stored(void **state)
{
    (void)state;
    stage_run(plain_delivery);
}

static void submission(struct task *task, void *arg)
{
    struct stage *stage = arg;
    const uint32_t flags = DELIVER_SUBMISSION | DELIVER_TLS;
    span_t sent = SPAN("From: Me <me@example.net>\r\nBcc: y\r\n\r\nbody\r\n");
    assert_int_equal(deliver(task, stage, sent, flags), DELIVER_OK);
    struct buf plain;
    buf_init(&plain, 1U << 20);
    span_t message;
    open_stored(stage, &plain, &message);
    assert_true(span_ends(message, SPAN("From: Me <me@example.net>\r\n\r\nbody\r\n")));
    assert_true(span_find(message, SPAN("Message-ID: <")) < message.len);
    assert_true(span_find(message, SPAN("192.0.2.7")) == message.len);
    assert_true(span_find(message, SPAN("mail.example.org")) == message.len);
    buf_deinit(&plain);
    span_t foreign = SPAN("From: me@example.net, other@example.net\r\n\r\n");
    assert_int_equal(deliver(task, stage, foreign, flags), DELIVER_REFUSED);
    assert_int_equal(deliver(task, stage, foreign, 0), DELIVER_OK);
    assert_int_equal(deliver(task, stage, SPAN("Subject: no sender\r\n\r\n"), flags), DELIVER_OK);
}

static void a_submission_is_from_its_own_addresses_only(void **state)
{
    (void)state;
    stage_run(submission);
}

static void troubles(struct task *task, void *arg)
{
    struct stage *stage = arg;
    struct buf loop;
    buf_init(&loop, 4096);
    for (int hop = 0; hop < 50; hop++)
        assert_int_equal(buf_append_text(&loop, "Received: x\r\n"), 0);
    assert_int_equal(deliver(task, stage, buf_span(&loop), 0), DELIVER_OK);
    assert_int_equal(buf_append_text(&loop, "Received: x\r\n"), 0);
    assert_int_equal(deliver(task, stage, buf_span(&loop), 0), DELIVER_LOOP);
    buf_deinit(&loop);
    assert_int_equal(deliver(task, stage, SPAN_NONE, 0), DELIVER_OK);
    assert_int_equal(deliver(task, stage, SPAN("\0\xff\r\n no header at all"), 0), DELIVER_OK);
    AUTO_FREE uint8_t *large = mem_new(2U << 20);
    assert_non_null(large);
    assert_int_equal(deliver(task, stage, span_of(large, 1000000), 0), DELIVER_OK);
    assert_true(buf_len(&stage->sealed) >= 1000000);
    assert_int_equal(deliver(task, stage, span_of(large, 2U << 20), 0), DELIVER_TOO_LARGE);
    stage->outcome = APPEND_FULL;
    assert_int_equal(deliver(task, stage, span_of(large, 1000000), 0), DELIVER_FULL);
    assert_int_equal(deliver(task, stage, SPAN("A: b\r\n\r\n"), 0), DELIVER_FULL);
    stage->outcome = APPEND_FAILED;
    assert_int_equal(deliver(task, stage, SPAN("A: b\r\n\r\n"), 0), DELIVER_LATER);
    channel_close(stage->store);
    assert_int_equal(deliver(task, stage, SPAN("A: b\r\n\r\n"), 0), DELIVER_LATER);
}

static void troubles_have_their_own_answers(void **state)
{
    (void)state;
    stage_run(troubles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_stamped_sealed_and_stored),
        cmocka_unit_test(a_submission_is_from_its_own_addresses_only),
        cmocka_unit_test(troubles_have_their_own_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
