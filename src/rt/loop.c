#include "rt/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rt/loop_state.h"

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/*
 * Ready tasks run twice a turn: before the loop waits for descriptors, and after. The idle handle, active while
 * something is ready, keeps the loop from sleeping in between.
 */
static void loop_drain(struct loop *loop)
{
    task_run_ready(loop);
    if (loop->ready_count > 0)
        (void)uv_idle_start(&loop->idle, on_idle);
    else
        (void)uv_idle_stop(&loop->idle);
}

static void on_prepare(uv_prepare_t *prepare)
{
    loop_drain(prepare->data);
}

static void on_check(uv_check_t *check)
{
    loop_drain(check->data);
}

int loop_new(struct loop **ret_loop)
{
    /* A peer that closes its end is an ordinary error of write(), also inside OpenSSL. */
    (void)signal(SIGPIPE, SIG_IGN);
    AUTO_FREE struct loop *loop = mem_new(sizeof(*loop));
    if (loop == NULL)
        return -ENOMEM;
    int result = uv_loop_init(&loop->uv);
    if (result < 0)
        return result;
    list_init(&loop->ready);
    list_init(&loop->tasks);
    list_init(&loop->spare);
    (void)uv_prepare_init(&loop->uv, &loop->prepare);
    (void)uv_check_init(&loop->uv, &loop->check);
    (void)uv_idle_init(&loop->uv, &loop->idle);
    (void)uv_timer_init(&loop->uv, &loop->late);
    loop->prepare.data = loop->check.data = loop->late.data = loop;
    (void)uv_prepare_start(&loop->prepare, on_prepare);
    (void)uv_check_start(&loop->check, on_check);
    *ret_loop = TAKE(loop);
    return 0;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    assert(loop->current == NULL && list_is_empty(&loop->tasks));
    task_free_spare(loop);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->late, NULL);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    int result = uv_loop_close(&loop->uv);
    assert(result == 0);
    (void)result;
    free(loop);
}

int loop_run(struct loop *loop)
{
    int result = uv_run(&loop->uv, UV_RUN_DEFAULT);
    return result < 0 ? result : 0;
}

/* While it finishes, only the end of the last task or the time may end it. */
void loop_stop(struct loop *loop)
{
    if (!loop->is_finishing)
        uv_stop(&loop->uv);
}

static void on_finish_late(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop->is_late = true;
    uv_stop(&loop->uv);
}

/* Between the end of the last task and the loop's, what has come in may still start others, which end at once. */
int loop_finish(struct loop *loop, int64_t timeout_ms)
{
    for (struct list_link *link = list_first(&loop->tasks); link != NULL; link = list_after(&loop->tasks, link))
        task_cancel(LIST_ITEM(link, struct task, in_loop));
    if (list_is_empty(&loop->tasks))
        return 0;
    loop->is_late = false;
    uv_update_time(&loop->uv);
    if (timeout_ms >= 0)
        (void)uv_timer_start(&loop->late, on_finish_late, (uint64_t)timeout_ms, 0);
    loop->is_finishing = true;
    while (!list_is_empty(&loop->tasks) && !loop->is_late)
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->is_finishing = false;
    (void)uv_timer_stop(&loop->late);
    return list_is_empty(&loop->tasks) ? 0 : -ETIMEDOUT;
}

void loop_trim(struct loop *loop)
{
    task_free_spare(loop);
}

int64_t loop_now(const struct loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}
