#include "rt/watch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rt/loop_state.h"

/*
 * libuv takes the descriptor out of the poll set and back in at every uv_poll_start(). So the watch stays armed after a
 * wait; only when an event comes that nobody waits for is it narrowed to what is wanted.
 */
struct watch {
    uv_poll_t poll;
    struct list waiters;
    watch_function *function;
    void *arg;
    unsigned called_for;
    unsigned armed;
    bool is_freed;
};

struct watch_waiter {
    struct list_link link;
    struct task *task;
    unsigned what;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static int arm(struct watch *watch, unsigned what)
{
    if (what == watch->armed)
        return 0;
    unsigned events = ((what & WATCH_READ) != 0 ? (unsigned)UV_READABLE : 0U) |
                      ((what & WATCH_WRITE) != 0 ? (unsigned)UV_WRITABLE : 0U);
    int result = what == 0 ? uv_poll_stop(&watch->poll) : uv_poll_start(&watch->poll, (int)events, on_poll);
    if (result == 0)
        watch->armed = what;
    return result;
}

/* Wakes those who waited for it; returns what any of them wanted. */
static unsigned wake_waiters(struct watch *watch, unsigned ready)
{
    unsigned wanted = 0;
    for (struct list_link *link = list_first(&watch->waiters), *next; link != NULL; link = next) {
        next = list_after(&watch->waiters, link);
        struct watch_waiter *waiter = LIST_ITEM(link, struct watch_waiter, link);
        wanted |= waiter->what;
        if ((waiter->what & ready) != 0) {
            list_remove(link);
            task_wake(waiter->task, 0);
        }
    }
    return wanted;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    unsigned ready = ((events & UV_READABLE) != 0 ? (unsigned)WATCH_READ : 0U) |
                     ((events & UV_WRITABLE) != 0 ? (unsigned)WATCH_WRITE : 0U);
    if (status < 0) { /* libuv has stopped the handle; the I/O itself tells what is wrong */
        ready = WATCH_READ | WATCH_WRITE;
        watch->armed = 0;
    }
    unsigned wanted = wake_waiters(watch, ready) | watch->called_for;
    if ((watch->called_for & ready) != 0)
        watch->function(watch->arg, watch->called_for & ready);
    if (!watch->is_freed && status == 0 && (ready & ~wanted) != 0)
        (void)arm(watch, wanted);
}

int watch_new(struct loop *loop, int fd, struct watch **ret_watch)
{
    AUTO_FREE struct watch *watch = mem_new(sizeof(*watch));
    if (watch == NULL)
        return -ENOMEM;
    int result = uv_poll_init(&loop->uv, &watch->poll, fd);
    if (result < 0)
        return result;
    watch->poll.data = watch;
    list_init(&watch->waiters);
    *ret_watch = TAKE(watch);
    return 0;
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    watch->is_freed = true;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

int watch_wait(struct task *task, struct watch *watch, enum watch_for what, int64_t timeout_ms)
{
    int result = arm(watch, watch->armed | (unsigned)what);
    if (result < 0)
        return result;
    struct watch_waiter waiter = {.task = task, .what = (unsigned)what};
    list_push(&watch->waiters, &waiter.link);
    result = task_suspend(task, timeout_ms);
    list_remove(&waiter.link);
    return result;
}

int watch_call(struct watch *watch, unsigned what, watch_function *function, void *arg)
{
    watch->called_for = what;
    watch->function = function;
    watch->arg = arg;
    return arm(watch, watch->armed | what);
}
