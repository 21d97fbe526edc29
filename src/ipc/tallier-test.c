#include "ipc/tallier.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

#include "rt/task.h"

#define WAIT_STEPS 2000
#define LONG_MS 3600000

/* An intake under test; the test itself is the supervisor, and the keeper that gets the rows. */
struct scene {
    struct loop *loop;
    struct wiring *wiring;
    struct channel *supervisor;
    struct channel *keeper;
    struct tallier *tallier;
    task_function *function;
    unsigned messages;
    unsigned rows;
    uint64_t counted;
};

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct scene *scene = arg;
    struct tally_row row;
    (void)channel;
    if (message->type == IPC_tally) {
        span_t rest = message->tally.rows;
        scene->messages++;
        for (; tally_row_next(&rest, &row); scene->rows++)
            scene->counted += row.count;
        assert_int_equal(rest.len, 0);
    }
    ipc_message_free(message);
}

static const struct wiring_hooks hooks = {.message = on_message};
static const struct channel_hooks channel_hooks = {.message = on_message};
static const uint8_t hash_key[16] = "0123456789abcde";

static void then_stop(struct task *task, void *arg)
{
    struct scene *scene = arg;
    scene->function(task, scene);
    loop_stop(scene->loop);
}

static void run(task_function *function, int64_t every_ms)
{
    struct scene scene = {.function = function};
    int fds[2];
    assert_int_equal(loop_new(&scene.loop), 0);
    assert_int_equal(channel_pair(fds), 0);
    assert_int_equal(
        channel_new(scene.loop, fds[0], ROLE_SUPERVISOR, ROLE_INTAKE, &channel_hooks, &scene, &scene.supervisor), 0);
    assert_int_equal(wiring_new(scene.loop, fds[1], ROLE_INTAKE, &hooks, &scene, &scene.wiring), 0);
    assert_int_equal(tallier_new(scene.loop, scene.wiring, every_ms, hash_key, &scene.tallier), 0);
    assert_int_equal(task_spawn(scene.loop, "test", then_stop, &scene, NULL), 0);
    assert_int_equal(loop_run(scene.loop), 0);
    tallier_free(scene.tallier);
    channel_free(scene.keeper);
    assert_int_equal(loop_finish(scene.loop, 2000), 0);
    wiring_free(scene.wiring);
    channel_free(scene.supervisor);
    loop_free(scene.loop);
}

static void wire_keeper(struct task *task, struct scene *scene)
{
    int fds[2];
    assert_int_equal(channel_pair(fds), 0);
    struct ipc_message message = {
        .type = IPC_wire, .fd_count = 1, .fds = {fds[0]}, .wire = {.peer = ROLE_KEEPER, .index = 0}};
    assert_int_equal(channel_send(scene->supervisor, &message), 0);
    assert_int_equal(channel_new(scene->loop, fds[1], ROLE_KEEPER, ROLE_INTAKE, &channel_hooks, scene, &scene->keeper),
                     0);
    for (unsigned i = 0; i < WAIT_STEPS && wiring_peer(scene->wiring, ROLE_KEEPER, 0) == NULL; i++)
        assert_int_equal(task_sleep(task, 1), 0);
}

static void count(struct scene *scene, unsigned number, uint64_t times)
{
    static uint8_t context[4096];
    char what[16];
    int len = snprintf(what, sizeof(what), "%u", number);
    const struct tally_row row = {.kind = TALLY_TLS,
                                  .day = 7,
                                  .count = times,
                                  .domain = SPAN("x.test"),
                                  .context = span_of(context, sizeof(context)),
                                  .what = span_of(what, (size_t)len)};
    tallier_add(scene->tallier, &row);
}

static void wait_for_rows(struct task *task, const struct scene *scene, unsigned rows)
{
    for (unsigned i = 0; i < WAIT_STEPS && scene->rows < rows; i++)
        assert_int_equal(task_sleep(task, 1), 0);
    assert_int_equal(scene->rows, rows);
}

static void add_alike(struct task *task, void *arg)
{
    struct scene *scene = arg;
    wire_keeper(task, scene);
    count(scene, 1, 1);
    count(scene, 1, 2);
    count(scene, 2, 5);
    wait_for_rows(task, scene, 2);
    assert_int_equal(scene->messages, 1);
    assert_int_equal(scene->counted, 8);
    count(scene, 1, 1); /* the next time begins anew */
    wait_for_rows(task, scene, 3);
    assert_int_equal(scene->counted, 9);
}

static void rows_that_are_alike_are_sent_as_one_when_it_is_time(void **state)
{
    (void)state;
    run(add_alike, 20);
}

/* 4 KiB a row: no more than fifteen fit into a message, and 256 into what is kept. */
static void add_many(struct task *task, void *arg)
{
    struct scene *scene = arg;
    wire_keeper(task, scene);
    for (unsigned i = 0; i < 300; i++)
        count(scene, i, 1);
    assert_true(scene->rows < 300);
    tallier_send(scene->tallier);
    wait_for_rows(task, scene, 300);
    assert_int_equal(scene->counted, 300);
    assert_true(scene->messages >= 20);
}

static void many_rows_are_sent_in_several_messages_and_before_they_are_too_many(void **state)
{
    (void)state;
    run(add_many, LONG_MS);
}

static void add_in_vain(struct task *task, void *arg)
{
    struct scene *scene = arg;
    (void)task;
    count(scene, 1, 1);
    tallier_send(scene->tallier); /* there is no keeper */
    wire_keeper(task, scene);
    count(scene, 2, 3);
    tallier_send(scene->tallier);
    wait_for_rows(task, scene, 1);
    assert_int_equal(scene->counted, 3);
}

static void without_a_keeper_they_are_lost_and_nothing_else_is(void **state)
{
    (void)state;
    run(add_in_vain, LONG_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_are_alike_are_sent_as_one_when_it_is_time),
        cmocka_unit_test(many_rows_are_sent_in_several_messages_and_before_they_are_too_many),
        cmocka_unit_test(without_a_keeper_they_are_lost_and_nothing_else_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
