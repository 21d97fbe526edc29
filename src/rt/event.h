#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/result.h"

struct task;

/* Something tasks wait for. Once raised it stays set until cleared; waiting for a set event returns at once. */
struct event {
    struct list waiters;
    bool is_set;
};

void event_init(struct event *event);
void event_raise(struct event *event); /* wakes all who wait */
void event_clear(struct event *event); /* before the next wait */
void event_pulse(struct event *event); /* wakes all who wait now, and leaves the event clear */
bool event_is_set(const struct event *event);

/* 0, -ETIMEDOUT or -ECANCELED. timeout_ms may be FOREVER. The event must live until all its waiters have returned. */
MUST_USE int event_wait(struct task *task, struct event *event, int64_t timeout_ms);
