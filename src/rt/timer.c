#include "rt/timer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rt/loop_state.h"

struct timer {
    uv_timer_t handle;
    timer_function *function;
    void *arg;
};

static void on_timer(uv_timer_t *handle)
{
    struct timer *timer = handle->data;
    timer->function(timer->arg);
}

int timer_new(struct loop *loop, timer_function *function, void *arg, struct timer **ret_timer)
{
    struct timer *timer = mem_new(sizeof(*timer));
    if (timer == NULL)
        return -ENOMEM;
    (void)uv_timer_init(&loop->uv, &timer->handle);
    timer->handle.data = timer;
    timer->function = function;
    timer->arg = arg;
    *ret_timer = timer;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void timer_free(struct timer *timer)
{
    if (timer != NULL)
        uv_close((uv_handle_t *)&timer->handle, on_timer_closed);
}

void timer_start(struct timer *timer, int64_t ms)
{
    (void)uv_timer_start(&timer->handle, on_timer, ms < 0 ? 0 : (uint64_t)ms, 0);
}

void timer_stop(struct timer *timer)
{
    (void)uv_timer_stop(&timer->handle);
}
