#include "rt/task.h"

#include "base/test.h"

#include <errno.h>
#include <string.h>

#include "rt/timer.h"

struct trace {
    char text[64];
    struct event event;
    int result;
    struct task_group group;
};

static void note(struct trace *trace, const char *word)
{
    strncat(trace->text, word, sizeof(trace->text) - strlen(trace->text) - 1);
}

static void run_all(struct loop *loop)
{
    assert_int_equal(loop_finish(loop, 2000), 0);
    loop_free(loop);
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

/* Runs the loop until it was idle for a moment. */
static void run_for(struct loop *loop, int64_t ms)
{
    struct timer *timer = NULL;
    assert_int_equal(timer_new(loop, stop_loop, loop, &timer), 0);
    timer_start(timer, ms);
    assert_int_equal(loop_run(loop), 0);
    timer_free(timer);
}

static void yielder(struct task *task, void *arg)
{
    note(arg, "a");
    assert_int_equal(task_yield(task), 0);
    note(arg, "c");
}

static void other(struct task *task, void *arg)
{
    note(arg, "b");
    assert_int_equal(task_sleep(task, 5), 0);
    note(arg, "d");
}

static void tasks_take_turns(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct trace trace = {0};
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(task_spawn(loop, "one", yielder, &trace, NULL), 0);
    assert_int_equal(task_spawn(loop, "two", other, &trace, NULL), 0);
    assert_string_equal(trace.text, "");
    run_for(loop, 50);
    assert_string_equal(trace.text, "abcd");
    run_all(loop);
}

static void waiter(struct task *task, void *arg)
{
    struct trace *trace = arg;
    trace->result = event_wait(task, &trace->event, FOREVER);
    note(trace, "w");
    if (trace->result == -ECANCELED)
        assert_int_equal(task_sleep(task, 1000), -ECANCELED);
}

static void setter(struct task *task, void *arg)
{
    struct trace *trace = arg;
    (void)task;
    event_raise(&trace->event);
    note(trace, "s");
}

static void setting_an_event_wakes_its_waiter(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct trace trace = {.result = 1};
    event_init(&trace.event);
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(task_spawn(loop, "waiter", waiter, &trace, NULL), 0);
    assert_int_equal(task_spawn(loop, "setter", setter, &trace, NULL), 0);
    run_for(loop, 10);
    assert_int_equal(trace.result, 0);
    assert_string_equal(trace.text, "sw");
    run_all(loop);
}

static void cancelling_unwinds_and_stays(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct trace trace = {.result = 1};
    event_init(&trace.event);
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(task_spawn(loop, "waiter", waiter, &trace, NULL), 0);
    run_for(loop, 5);
    assert_int_equal(trace.result, 1);
    run_all(loop);
    assert_int_equal(trace.result, -ECANCELED);
}

static void late_waiter(struct task *task, void *arg)
{
    struct trace *trace = arg;
    trace->result = event_wait(task, &trace->event, 5);
}

static void waiting_ends_with_its_timeout(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct trace trace = {.result = 1};
    event_init(&trace.event);
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(task_spawn(loop, "waiter", late_waiter, &trace, NULL), 0);
    run_for(loop, 50);
    assert_int_equal(trace.result, -ETIMEDOUT);
    run_all(loop);
}

static void parent(struct task *task, void *arg)
{
    struct trace *trace = arg;
    task_group_init(&trace->group);
    event_init(&trace->event);
    assert_int_equal(task_group_spawn(&trace->group, task_loop(task), "child", waiter, trace), 0);
    assert_int_equal(task_group_spawn(&trace->group, task_loop(task), "child", waiter, trace), 0);
    task_group_wait(task, &trace->group);
    note(trace, "p");
    trace->result = task_is_cancelled(task) ? 7 : 8;
}

static void a_cancelled_parent_takes_its_group_along(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct trace trace = {0};
    struct task *task = NULL;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(task_spawn(loop, "parent", parent, &trace, &task), 0);
    run_for(loop, 5);
    task_cancel(task);
    run_for(loop, 5);
    assert_string_equal(trace.text, "wwp");
    assert_int_equal(trace.result, 7);
    run_all(loop);
}

static void counter(struct task *task, void *arg)
{
    size_t *count = arg;
    char room[4096];
    memset(room, 1, sizeof(room));
    if (task_sleep(task, 1) == 0)
        *count += (size_t)room[sizeof(room) - 1];
}

/* Each waits for the next; when all are cancelled, the innermost ends first, and stops the loop. */
static void nested(struct task *task, void *arg)
{
    int *depth = arg;
    if (*depth == 0) {
        assert_int_equal(task_sleep(task, FOREVER), -ECANCELED);
        loop_stop(task_loop(task));
        return;
    }
    struct task_group group;
    task_group_init(&group);
    (*depth)--;
    assert_int_equal(task_group_spawn(&group, task_loop(task), "nested", nested, depth), 0);
    task_group_wait(task, &group);
    (*depth)++;
}

static void a_stop_does_not_cut_the_finish_short(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    int depth = 10;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(task_spawn(loop, "outermost", nested, &depth, NULL), 0);
    run_for(loop, 50);
    assert_int_equal(depth, 0);
    run_all(loop);
    assert_int_equal(depth, 10);
}

static void sleeper(struct task *task, void *arg)
{
    struct trace *trace = arg;
    trace->result = task_sleep(task, FOREVER);
    note(trace, "s");
}

static void follower(struct task *task, void *arg)
{
    assert_int_equal(task_sleep(task, FOREVER), -ECANCELED);
    assert_int_equal(task_spawn(task_loop(task), "sleeper", sleeper, arg, NULL), 0);
}

static void what_is_started_at_the_end_ends_too(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct trace trace = {0};
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(task_spawn(loop, "follower", follower, &trace, NULL), 0);
    run_for(loop, 5);
    run_all(loop);
    assert_string_equal(trace.text, "s");
    assert_int_equal(trace.result, -ECANCELED);
}

static void a_thousand_tasks_come_and_go(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    size_t count = 0;
    assert_int_equal(loop_new(&loop), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++)
            assert_int_equal(task_spawn(loop, "counter", counter, &count, NULL), 0);
        run_for(loop, 60);
    }
    assert_int_equal(count, 3000);
    run_all(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_take_turns),
        cmocka_unit_test(setting_an_event_wakes_its_waiter),
        cmocka_unit_test(cancelling_unwinds_and_stays),
        cmocka_unit_test(waiting_ends_with_its_timeout),
        cmocka_unit_test(a_cancelled_parent_takes_its_group_along),
        cmocka_unit_test(a_stop_does_not_cut_the_finish_short),
        cmocka_unit_test(what_is_started_at_the_end_ends_too),
        cmocka_unit_test(a_thousand_tasks_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
