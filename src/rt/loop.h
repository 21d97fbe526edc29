#pragma once

#include <stdint.h>

#include "base/result.h"
#include "base/scope.h"

/*
 * The event loop of a process: one per process, single-threaded. It runs tasks (rt/task.h), watches descriptors
 * (rt/watch.h) and keeps timers (rt/timer.h). After a fork the child makes a fresh one.
 */
struct loop;

#define FOREVER ((int64_t)-1) /* a timeout that never comes */

MUST_USE int loop_new(struct loop **ret_loop);

/* Every task must have ended and every stream, channel and timer of the loop be freed before. */
void loop_free(struct loop *loop);

/* Runs until loop_stop(). */
MUST_USE int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Cancels all tasks, and those that are started meanwhile, and runs until they have ended, at most for so many
 * milliseconds: -ETIMEDOUT. loop_stop(), which a task may well call at its end, does nothing then. */
MUST_USE int loop_finish(struct loop *loop, int64_t timeout_ms);

int64_t loop_now(const struct loop *loop); /* monotonic milliseconds, as of this turn of the loop */

/* Gives back the stacks that ended tasks have left for the next ones. For a quiet moment. */
void loop_trim(struct loop *loop);

SCOPE_OF(loop)
