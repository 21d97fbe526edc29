#pragma once

#include "rt/loop.h"

/*
 * Watches one non-blocking descriptor, which it does not own and which must stay open until the watch is freed.
 * Try the I/O first and wait only after EAGAIN: between two waits the descriptor stays registered, so that waiting
 * costs a system call only now and then.
 */
struct watch;
struct task;

enum watch_for { WATCH_READ = 1, WATCH_WRITE = 2 };

MUST_USE int watch_new(struct loop *loop, int fd, struct watch **ret_watch);

/* No task may wait on it any more. */
void watch_free(struct watch *watch);

/* Until the descriptor is ready (or broken, which the I/O will tell): 0, -ETIMEDOUT, -ECANCELED. */
MUST_USE int watch_wait(struct task *task, struct watch *watch, enum watch_for what, int64_t timeout_ms);

/* For those without a task: calls the function whenever the descriptor is ready. what: WATCH_READ | WATCH_WRITE, or 0
 * to be left alone. The function may free the watch. */
typedef void watch_function(void *arg, unsigned ready);
MUST_USE int watch_call(struct watch *watch, unsigned what, watch_function *function, void *arg);

SCOPE_OF(watch)
