#pragma once

#include "rt/loop.h"

/* Calls a function on the loop, outside any task. */
struct timer;
typedef void timer_function(void *arg);

MUST_USE int timer_new(struct loop *loop, timer_function *function, void *arg, struct timer **ret_timer);
void timer_free(struct timer *timer);
void timer_start(struct timer *timer, int64_t ms); /* once, so many milliseconds from now; replaces an earlier start */
void timer_stop(struct timer *timer);

SCOPE_OF(timer)
