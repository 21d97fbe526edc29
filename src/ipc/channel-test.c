#include "ipc/channel.h"

#include "base/test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ipc/body.h"
#include "rt/task.h"

struct ends {
    struct loop *loop;
    struct channel *gate;
    struct channel *keeper;
    struct ipc_message *held;
    task_function *function;
    int closed;
    int far;
};

static void on_gate_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    (void)arg;
    (void)channel;
    ipc_message_free(message);
}

/* The keeper of these tests answers `resolve` with the address as recipients; "hold" is not answered. */
static void on_keeper_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct ends *ends = arg;
    if (message->type == IPC_resolve && span_equal(message->resolve.address, SPAN("hold"))) {
        ipc_message_free(ends->held);
        ends->held = message;
        return;
    }
    struct ipc_message reply = {.type = IPC_resolved, .resolved = {.recipients = message->resolve.address}};
    if (message->type == IPC_login) {
        int fds[2];
        assert_int_equal(body_pair(fds), 0);
        (void)close(fds[1]);
        reply =
            (struct ipc_message){.type = IPC_login_done, .fd_count = 1, .fds = {fds[0]}, .login_done = {.account = 7}};
    }
    assert_int_equal(channel_reply(channel, message->call, &reply), 0);
    ipc_message_free(message);
}

static void on_closed(void *arg, struct channel *channel)
{
    struct ends *ends = arg;
    (void)channel;
    ends->closed++;
}

static const struct channel_hooks gate_hooks = {.message = on_gate_message, .closed = on_closed};
static const struct channel_hooks keeper_hooks = {.message = on_keeper_message, .closed = on_closed};

static void then_stop(struct task *task, void *arg)
{
    struct ends *ends = arg;
    ends->function(task, ends);
    loop_stop(ends->loop);
}

static void ends_run(task_function *function)
{
    struct ends ends = {.function = function, .far = -1};
    int fds[2];
    assert_int_equal(loop_new(&ends.loop), 0);
    assert_int_equal(channel_pair(fds), 0);
    assert_int_equal(channel_new(ends.loop, fds[0], ROLE_GATE, ROLE_KEEPER, &gate_hooks, &ends, &ends.gate), 0);
    assert_int_equal(channel_new(ends.loop, fds[1], ROLE_KEEPER, ROLE_GATE, &keeper_hooks, &ends, &ends.keeper), 0);
    assert_int_equal(task_spawn(ends.loop, "test", then_stop, &ends, NULL), 0);
    assert_int_equal(loop_run(ends.loop), 0);
    assert_int_equal(loop_finish(ends.loop, 2000), 0);
    ipc_message_free(ends.held);
    channel_free(ends.gate);
    channel_free(ends.keeper);
    loop_free(ends.loop);
}

static int resolve(struct task *task, struct ends *ends, span_t address, int64_t timeout_ms)
{
    struct ipc_message request = {.type = IPC_resolve, .resolve = {.address = address}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, ends->gate, &request, timeout_ms, &reply);
    if (result == 0)
        assert_true(span_equal(reply->resolved.recipients, address));
    return result;
}

static void call_often(struct task *task, void *arg)
{
    struct ends *ends = arg;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(resolve(task, ends, SPAN("alice@demo.test"), FOREVER), 0);
    assert_int_equal(resolve(task, ends, SPAN("hold"), 5), -ETIMEDOUT);
    struct ipc_message late = {.type = IPC_resolved};
    assert_int_equal(channel_reply(ends->keeper, ends->held->call, &late), 0);
    assert_int_equal(resolve(task, ends, SPAN("again"), FOREVER), 0);
    static uint8_t big[2000];
    assert_int_equal(resolve(task, ends, span_of(big, sizeof(big)), FOREVER), -EMSGSIZE);
}

static void calls_are_answered(void **state)
{
    (void)state;
    ends_run(call_often);
}

static void call_with_descriptor(struct task *task, void *arg)
{
    struct ends *ends = arg;
    struct ipc_message request = {.type = IPC_login, .login = {.user = SPAN("alice"), .password = SPAN("secret")}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    assert_int_equal(channel_call(task, ends->gate, &request, &reply), 0);
    assert_int_equal(reply->login_done.account, 7);
    AUTO_FD int fd = ipc_message_take_fd(reply, 0);
    assert_true(fd >= 0);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 0);
}

static void descriptors_travel_along(void **state)
{
    (void)state;
    ends_run(call_with_descriptor);
}

static void close_under_a_call(struct task *task, void *arg)
{
    struct ends *ends = arg;
    (void)task;
    channel_close(ends->keeper);
}

static void call_and_be_left(struct task *task, void *arg)
{
    struct ends *ends = arg;
    assert_int_equal(task_spawn(ends->loop, "closer", close_under_a_call, ends, NULL), 0);
    assert_int_equal(resolve(task, ends, SPAN("hold"), FOREVER), -EPIPE);
    assert_int_equal(ends->closed, 1);
    assert_int_equal(resolve(task, ends, SPAN("hold"), FOREVER), -EPIPE);
}

static void a_peer_that_goes_ends_the_calls(void **state)
{
    (void)state;
    ends_run(call_and_be_left);
}

/* Puts raw bytes on a keeper's end and expects the channel to end. */
static void expect_refused(struct task *task, struct ends *ends, span_t packet)
{
    int fds[2];
    struct channel *victim = NULL;
    int before = ends->closed;
    assert_int_equal(channel_pair(fds), 0);
    assert_int_equal(channel_new(ends->loop, fds[0], ROLE_KEEPER, ROLE_GATE, &keeper_hooks, ends, &victim), 0);
    assert_int_equal(send(fds[1], packet.at, packet.len, 0), packet.len);
    assert_int_equal(task_sleep(task, 5), 0);
    assert_int_equal(ends->closed, before + 1);
    assert_false(channel_is_open(victim));
    (void)close(fds[1]);
    channel_free(victim);
}

static void send_nonsense(struct task *task, void *arg)
{
    struct ends *ends = arg;
    expect_refused(task, ends, SPAN("x"));
    expect_refused(task, ends, SPAN("\xff\xff\0\0\0\0\0\0\0\0\0\0"));
    /* well formed, but no gate may send it, or not like this */
    static const struct ipc_message forbidden[] = {
        {.type = IPC_stop},
        {.type = IPC_login_done, .call = 1, .is_reply = true},
        {.type = IPC_resolve, .call = 0},
        {.type = IPC_resolve, .call = 1, .is_reply = true},
    };
    for (size_t i = 0; i < COUNT_OF(forbidden); i++) {
        AUTO_BUF struct buf packet;
        buf_init(&packet, IPC_PACKET_MAX);
        assert_int_equal(ipc_message_encode(&forbidden[i], &packet), 0);
        expect_refused(task, ends, buf_span(&packet));
    }
}

static void what_a_peer_must_not_send_ends_the_channel(void **state)
{
    (void)state;
    ends_run(send_nonsense);
}

static void flood(struct task *task, void *arg)
{
    struct ends *ends = arg;
    static uint8_t big[65536];
    int fds[2];
    struct channel *store = NULL;
    assert_int_equal(channel_pair(fds), 0);
    ends->far = fds[1];
    assert_int_equal(channel_new(ends->loop, fds[0], ROLE_KEEPER, ROLE_GATE, &keeper_hooks, ends, &store), 0);
    int result = 0;
    int sent = 0;
    for (; result == 0; sent++) {
        struct ipc_message reply = {.type = IPC_resolved, .resolved = {.recipients = span_of(big, sizeof(big))}};
        result = channel_reply(store, 1, &reply);
    }
    assert_int_equal(result, -ENOBUFS);
    assert_true(sent > (int)(CHANNEL_QUEUE_MAX / sizeof(big)) - 1);
    assert_int_equal(task_sleep(task, 5), 0);
    assert_false(channel_is_open(store));
    channel_free(store);
    (void)close(ends->far);
}

static void a_peer_that_does_not_read_has_a_bound(void **state)
{
    (void)state;
    ends_run(flood);
}

/* Bodies. */

struct body_job {
    int fd;
    size_t size;
    bool finish;
};

static void write_body(struct task *task, void *arg)
{
    const struct body_job *job = arg;
    struct body_writer *writer = NULL;
    assert_int_equal(body_writer_new(task_loop(task), job->fd, &writer), 0);
    uint8_t block[1000];
    for (size_t done = 0; done < job->size; done += sizeof(block)) {
        memset(block, (int)(done / sizeof(block)), sizeof(block));
        assert_int_equal(body_write(task, writer, span_of(block, sizeof(block)), FOREVER), 0);
    }
    if (job->finish)
        assert_int_equal(body_finish(task, writer, SPAN_NONE, FOREVER), 0);
    body_writer_free(writer);
}

static void expect_body(struct task *task, size_t size, bool finish)
{
    int fds[2];
    assert_int_equal(body_pair(fds), 0);
    struct body_job job = {fds[0], size, finish};
    assert_int_equal(task_spawn(task_loop(task), "writer", write_body, &job, NULL), 0);
    struct body_reader *reader = NULL;
    assert_int_equal(body_reader_new(task_loop(task), fds[1], &reader), 0);
    size_t total = 0;
    static uint8_t room[100000];
    size_t len = 0;
    int result;
    while ((result = body_read(task, reader, room, 1 + total % sizeof(room), 2000, &len)) == BODY_DATA) {
        for (size_t i = 0; i < len; i++)
            assert_int_equal(room[i], (uint8_t)((total + i) / 1000));
        total += len;
    }
    assert_int_equal(result, finish ? BODY_COMPLETE : BODY_ABORTED);
    if (finish)
        assert_int_equal(total, size);
    body_reader_free(reader);
}

/* What comes of bytes on the wire: how many are the body's, and the result at their end. */
static int read_wire(struct task *task, span_t wire, size_t room_len, size_t *ret_total)
{
    int fds[2];
    struct body_reader *reader = NULL;
    uint8_t room[32];
    size_t len = 0;
    assert_int_equal(body_pair(fds), 0);
    assert_int_equal(write(fds[0], wire.at, wire.len), wire.len);
    (void)close(fds[0]);
    assert_int_equal(body_reader_new(task_loop(task), fds[1], &reader), 0);
    int result = BODY_DATA;
    for (*ret_total = 0; result == BODY_DATA; *ret_total += result == BODY_DATA ? len : 0) {
        result = body_read(task, reader, room, room_len, 2000, &len);
        for (size_t i = 0; result == BODY_DATA && i < len; i++)
            assert_int_equal(room[i], 'a' + *ret_total + i);
    }
    body_reader_free(reader);
    return result;
}

static void read_frames(struct task *task, void *arg)
{
    (void)arg;
    static const struct {
        span_t wire;
        size_t total;
        int result;
    } rows[] = {
        {SPAN("\3\0\0\0abc\1\0\0\0d\2\0\0\0ef\0\0\0\0"), 6, BODY_COMPLETE},
        {SPAN("\3\0\0\0abc\0\0\0\0x"), 3, BODY_COMPLETE},
        {SPAN("\0\0\0\0x"), 0, BODY_COMPLETE},
        {SPAN("\3\0\0\0abc"), 3, BODY_ABORTED},
        {SPAN("\3\0\0\0abc\4\0"), 3, BODY_ABORTED},
        {SPAN("\3\0\0\0ab"), 2, BODY_ABORTED},
        {SPAN("\1\0\2\0abc"), 0, -EBADMSG},
        {SPAN("\1\0\0\0a\1\0\2\0bc"), 1, -EBADMSG},
    };
    for (size_t room = 1; room <= 32; room++) {
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            size_t total = 0;
            assert_int_equal(read_wire(task, rows[i].wire, room, &total), rows[i].result);
            /* A frame that is bad may have been read together with what stands before it. */
            assert_true(rows[i].result < 0 ? total <= rows[i].total : total == rows[i].total);
        }
    }
}

static void frames_are_found_wherever_a_read_ends(void **state)
{
    (void)state;
    ends_run(read_frames);
}

static void pass_bodies(struct task *task, void *arg)
{
    (void)arg;
    expect_body(task, 0, true);
    expect_body(task, 1000, true);
    expect_body(task, 3000000, true);
    expect_body(task, 200000, false);
}

static void bodies_arrive_whole_or_aborted(void **state)
{
    (void)state;
    ends_run(pass_bodies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered),
        cmocka_unit_test(descriptors_travel_along),
        cmocka_unit_test(a_peer_that_goes_ends_the_calls),
        cmocka_unit_test(what_a_peer_must_not_send_ends_the_channel),
        cmocka_unit_test(a_peer_that_does_not_read_has_a_bound),
        cmocka_unit_test(bodies_arrive_whole_or_aborted),
        cmocka_unit_test(frames_are_found_wherever_a_read_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
