#include "rt/event.h"

#include "rt/task.h"

struct event_waiter {
    struct list_link link;
    struct task *task;
};

void event_init(struct event *event)
{
    list_init(&event->waiters);
    event->is_set = false;
}

void event_pulse(struct event *event)
{
    for (struct list_link *link; (link = list_pop(&event->waiters)) != NULL;)
        task_wake(LIST_ITEM(link, struct event_waiter, link)->task, 0);
}

void event_raise(struct event *event)
{
    event->is_set = true;
    event_pulse(event);
}

void event_clear(struct event *event)
{
    event->is_set = false;
}

bool event_is_set(const struct event *event)
{
    return event->is_set;
}

int event_wait(struct task *task, struct event *event, int64_t timeout_ms)
{
    if (event->is_set)
        return 0;
    struct event_waiter waiter = {.task = task};
    list_push(&event->waiters, &waiter.link);
    int result = task_suspend(task, timeout_ms);
    list_remove(&waiter.link);
    return result;
}
