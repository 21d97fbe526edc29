#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/result.h"
#include "rt/event.h"
#include "rt/loop.h"

/*
 * A task is a function with a stack of its own (64 KiB, guarded), that may suspend itself: one per connection or job.
 * Functions that may suspend take the task first and answer -ECANCELED once it was cancelled, and go on doing so,
 * so that its scopes unwind. A task belongs to the loop it was started on; it is gone when its function returns,
 * and a pointer to it must not be used after that.
 */
struct task;
typedef void task_function(struct task *task, void *arg);

#define TASK_STACK_SIZE 65536U

/* Starts at the loop's next turn, never before this returns. name is kept by reference. ret_task may be NULL. */
MUST_USE int task_spawn(struct loop *loop, const char *name, task_function *function, void *arg,
                        struct task **ret_task);

/* Makes what the task waits for, now or next, answer -ECANCELED. Cancelling itself is allowed. */
void task_cancel(struct task *task);
bool task_is_cancelled(const struct task *task);

struct loop *task_loop(const struct task *task);
const char *task_name(const struct task *task);

MUST_USE int task_sleep(struct task *task, int64_t ms);
MUST_USE int task_yield(struct task *task); /* lets the others run, once */

/*
 * The ground under everything that suspends: task_suspend() returns what task_wake() was given, or -ETIMEDOUT, or
 * -ECANCELED. Waking a task that does not wait, or that was woken already, does nothing.
 */
MUST_USE int task_suspend(struct task *task, int64_t timeout_ms);
void task_wake(struct task *task, int result);

/* A set of tasks that are cancelled and waited for together. It must outlive them. */
struct task_group {
    struct list tasks;
    struct event ended; /* set while there is none */
};
void task_group_init(struct task_group *group);
MUST_USE int task_group_spawn(struct task_group *group, struct loop *loop, const char *name, task_function *function,
                              void *arg);
void task_group_cancel(struct task_group *group);
bool task_group_is_empty(const struct task_group *group);

/* Until all have ended. Cancelling the waiting task cancels the group, and waits on: it never leaves before the end. */
void task_group_wait(struct task *task, struct task_group *group);
