#include "ipc/wiring.h"

#include "base/test.h"

#include <errno.h>
#include <unistd.h>

#include "rt/task.h"

struct role {
    struct loop *loop;
    struct wiring *wiring;
    struct channel *supervisor; /* the other end */
    task_function *function;
    int begun;
    int peers;
    int gone;
    int messages;
    int lost;
    int stopped;
    int refuse;
};

static int on_begin(void *arg)
{
    struct role *role = arg;
    role->begun++;
    return role->refuse;
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct role *role = arg;
    (void)channel;
    role->messages++;
    role->lost += message->type == IPC_lost && message->lost.peer == ROLE_INTAKE && message->lost.index == 3;
    ipc_message_free(message);
}

static void on_peer(void *arg, struct channel *channel)
{
    struct role *role = arg;
    assert_int_equal(channel_peer(channel), ROLE_INTAKE);
    role->peers++;
}

static void on_peer_gone(void *arg, struct channel *channel)
{
    struct role *role = arg;
    assert_false(channel_is_open(channel));
    role->gone++;
}

static void on_stop(void *arg)
{
    struct role *role = arg;
    role->stopped++;
}

static void on_status(void *arg, struct buf *json)
{
    (void)arg;
    (void)buf_append_text(json, ",\"connections\":3");
}

static const char *on_trouble(void *arg)
{
    (void)arg;
    return "a test's";
}

static const struct wiring_hooks hooks = {
    .begin = on_begin,
    .message = on_message,
    .peer = on_peer,
    .peer_gone = on_peer_gone,
    .stop = on_stop,
    .status = on_status,
    .trouble = on_trouble,
};
static const struct channel_hooks supervisor_hooks = {.message = on_message};

static void then_stop(struct task *task, void *arg)
{
    struct role *role = arg;
    role->function(task, role);
    loop_stop(role->loop);
}

static void role_run(task_function *function)
{
    struct role role = {.function = function};
    int fds[2];
    assert_int_equal(loop_new(&role.loop), 0);
    assert_int_equal(channel_pair(fds), 0);
    assert_int_equal(
        channel_new(role.loop, fds[0], ROLE_SUPERVISOR, ROLE_GATE, &supervisor_hooks, &role, &role.supervisor), 0);
    assert_int_equal(wiring_new(role.loop, fds[1], ROLE_GATE, &hooks, &role, &role.wiring), 0);
    assert_int_equal(task_spawn(role.loop, "test", then_stop, &role, NULL), 0);
    assert_int_equal(loop_run(role.loop), 0);
    assert_int_equal(loop_finish(role.loop, 2000), 0);
    wiring_free(role.wiring);
    channel_free(role.supervisor);
    loop_free(role.loop);
}

static int wire(struct role *role, uint32_t index)
{
    int fds[2];
    assert_int_equal(channel_pair(fds), 0);
    struct ipc_message message = {
        .type = IPC_wire, .fd_count = 1, .fds = {fds[0]}, .wire = {.peer = ROLE_INTAKE, .index = index}};
    assert_int_equal(channel_send(role->supervisor, &message), 0);
    return fds[1];
}

static void wire_and_begin(struct task *task, void *arg)
{
    struct role *role = arg;
    assert_null(wiring_any(role->wiring, ROLE_INTAKE));
    int first = wire(role, 0);
    int second = wire(role, 1);
    struct ipc_message begin = {.type = IPC_begin};
    AUTO(ipc_message) struct ipc_message *ready = NULL;
    assert_int_equal(channel_call(task, role->supervisor, &begin, &ready), 0);
    assert_int_equal(role->begun, 1);
    assert_int_equal(role->peers, 2);
    assert_int_equal(channel_tag(wiring_peer(role->wiring, ROLE_INTAKE, 1)), 1);
    assert_ptr_not_equal(wiring_any(role->wiring, ROLE_INTAKE), wiring_any(role->wiring, ROLE_INTAKE));
    int again = wire(role, 0); /* it replaces the first */
    (void)close(second);
    for (int turn = 0; turn < 1000 && role->gone < 2; turn++)
        assert_int_equal(task_sleep(task, 5), 0);
    assert_int_equal(role->gone, 2);
    assert_non_null(wiring_peer(role->wiring, ROLE_INTAKE, 0));
    assert_null(wiring_peer(role->wiring, ROLE_INTAKE, 1));
    assert_null(wiring_any(role->wiring, ROLE_STORE));
    (void)close(first);
    (void)close(again);
}

static void peers_come_and_go_by_wire(void **state)
{
    (void)state;
    role_run(wire_and_begin);
}

static void lose_a_peer(struct task *task, void *arg)
{
    struct role *role = arg;
    int gone = wire(role, 2);
    int bad = wire(role, 3);
    (void)close(gone);
    assert_int_equal(write(bad, "x", 1), 1);
    for (int tries = 0; tries < 500 && role->messages == 0; tries++)
        assert_int_equal(task_sleep(task, 10), 0);
    assert_int_equal(role->gone, 2);
    assert_int_equal(role->messages, 1);
    assert_int_equal(role->lost, 1);
    (void)close(bad);
}

static void a_peer_that_misbehaves_is_reported(void **state)
{
    (void)state;
    role_run(lose_a_peer);
}

static void ask_status_and_stop(struct task *task, void *arg)
{
    struct role *role = arg;
    struct ipc_message status = {.type = IPC_status};
    struct ipc_message stop = {.type = IPC_stop};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    assert_int_equal(channel_call(task, role->supervisor, &status, &reply), 0);
    assert_true(span_starts(reply->status_done.json, SPAN("{\"role\":\"gate\"")));
    assert_true(span_ends(reply->status_done.json, SPAN(",\"connections\":3}")));
    assert_true(span_equal(reply->status_done.trouble, SPAN("a test's")));
    assert_int_equal(channel_send(role->supervisor, &stop), 0);
    assert_int_equal(task_sleep(task, 5), 0);
    assert_int_equal(role->stopped, 1);
}

static void the_supervisor_is_answered(void **state)
{
    (void)state;
    role_run(ask_status_and_stop);
}

static void begin_in_vain(struct task *task, void *arg)
{
    struct role *role = arg;
    role->refuse = -EACCES;
    struct ipc_message begin = {.type = IPC_begin};
    AUTO(ipc_message) struct ipc_message *ready = NULL;
    assert_true(channel_call(task, role->supervisor, &begin, &ready) < 0);
    assert_null(ready);
}

static void a_role_that_cannot_begin_is_never_ready(void **state)
{
    (void)state;
    role_run(begin_in_vain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_come_and_go_by_wire),
        cmocka_unit_test(a_peer_that_misbehaves_is_reported),
        cmocka_unit_test(the_supervisor_is_answered),
        cmocka_unit_test(a_role_that_cannot_begin_is_never_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
