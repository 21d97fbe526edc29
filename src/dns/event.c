#include "dns/event.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unbound-event.h>

#include "base/mem.h"
#include "rt/timer.h"
#include "rt/watch.h"

/*
 * The rules are libevent's: an event is added and deleted; one that does not persist is deleted before it fires; the
 * timeout of one that persists begins anew when it fires. libunbound deletes an event before it closes the descriptor
 * and may free it in its own callback, so the callback is always the last thing done with it.
 */
struct dns_events {
    struct ub_event_base base; /* first: libunbound knows this alone */
    struct loop *loop;
    bool lacked_memory;
};

typedef void event_callback(int fd, short bits, void *arg);

struct event_on_loop {
    struct ub_event event; /* first, as above */
    struct dns_events *events;
    int fd;
    short bits;
    event_callback *callback;
    void *arg;
    struct watch *watch; /* while added, where it has a descriptor */
    struct timer *timer; /* from the first timeout on */
    int64_t timeout;
};

#define EVENT_OF(pointer) ((struct event_on_loop *)(void *)(pointer))

static int event_del(struct ub_event *ub)
{
    struct event_on_loop *event = EVENT_OF(ub);
    watch_free(TAKE(event->watch));
    if (event->timer != NULL)
        timer_stop(event->timer);
    return 0;
}

static void fire(struct event_on_loop *event, short bits)
{
    if ((event->bits & UB_EV_PERSIST) == 0)
        (void)event_del(&event->event);
    else if (event->timeout != FOREVER)
        timer_start(event->timer, event->timeout);
    event->callback(event->fd, bits, event->arg);
}

static void on_ready(void *arg, unsigned ready)
{
    const int bits = ((ready & WATCH_READ) != 0 ? UB_EV_READ : 0) | ((ready & WATCH_WRITE) != 0 ? UB_EV_WRITE : 0);
    fire(arg, (short)bits);
}

static void on_timeout(void *arg)
{
    fire(arg, UB_EV_TIMEOUT);
}

static int start_timeout(struct event_on_loop *event, const struct timeval *after)
{
    if (event->timer == NULL && timer_new(event->events->loop, on_timeout, event, &event->timer) < 0) {
        event->events->lacked_memory = true;
        return -1;
    }
    event->timeout = (int64_t)after->tv_sec * 1000 + (after->tv_usec + 999) / 1000;
    timer_start(event->timer, event->timeout);
    return 0;
}

static int event_add(struct ub_event *ub, struct timeval *after)
{
    struct event_on_loop *event = EVENT_OF(ub);
    const unsigned what = ((event->bits & UB_EV_READ) != 0 ? (unsigned)WATCH_READ : 0U) |
                          ((event->bits & UB_EV_WRITE) != 0 ? (unsigned)WATCH_WRITE : 0U);
    (void)event_del(ub);
    event->timeout = FOREVER;
    if (event->fd >= 0 && what != 0) {
        const int result = watch_new(event->events->loop, event->fd, &event->watch);
        event->events->lacked_memory |= result == -ENOMEM;
        if (result < 0)
            return -1;
        if (watch_call(event->watch, what, on_ready, event) < 0) {
            watch_free(TAKE(event->watch));
            return -1;
        }
    }
    return after != NULL && (event->bits & UB_EV_TIMEOUT) != 0 ? start_timeout(event, after) : 0;
}

static void event_add_bits(struct ub_event *ub, short bits)
{
    (void)event_del(ub);
    EVENT_OF(ub)->bits = (short)(EVENT_OF(ub)->bits | bits);
}

static void event_del_bits(struct ub_event *ub, short bits)
{
    (void)event_del(ub);
    EVENT_OF(ub)->bits = (short)(EVENT_OF(ub)->bits & ~bits);
}

static void event_set_fd(struct ub_event *ub, int fd)
{
    (void)event_del(ub);
    EVENT_OF(ub)->fd = fd;
}

static void event_free(struct ub_event *ub)
{
    struct event_on_loop *event = EVENT_OF(ub);
    watch_free(event->watch);
    timer_free(event->timer);
    free(event);
}

static int event_add_timer(struct ub_event *ub, struct ub_event_base *base, event_callback *callback, void *arg,
                           struct timeval *after)
{
    struct event_on_loop *event = EVENT_OF(ub);
    (void)base;
    event->callback = callback;
    event->arg = arg;
    return start_timeout(event, after);
}

/* Signals are the loop's own; the rest is Windows. libunbound calls none of these. */
static int no_signal(struct ub_event *ub, struct timeval *after)
{
    (void)ub;
    (void)after;
    return -1;
}

static int no_signal_del(struct ub_event *ub)
{
    (void)ub;
    return -1;
}

static void no_wouldblock(struct ub_event *ub, int bits)
{
    (void)ub;
    (void)bits;
}

static struct ub_event_vmt event_calls = {
    .add_bits = event_add_bits,
    .del_bits = event_del_bits,
    .set_fd = event_set_fd,
    .free = event_free,
    .add = event_add,
    .del = event_del,
    .add_timer = event_add_timer,
    .del_timer = event_del,
    .add_signal = no_signal,
    .del_signal = no_signal_del,
    .winsock_unregister_wsaevent = event_free,
    .winsock_tcp_wouldblock = no_wouldblock,
};

static struct ub_event *base_new_event(struct ub_event_base *base, int fd, short bits, event_callback *callback,
                                       void *arg)
{
    struct dns_events *events = (struct dns_events *)(void *)base;
    struct event_on_loop *event = mem_new(sizeof(*event));
    events->lacked_memory |= event == NULL;
    if (event == NULL)
        return NULL;
    event->event = (struct ub_event){.magic = UB_EVENT_MAGIC, .vmt = &event_calls};
    event->events = events;
    event->fd = fd;
    event->bits = bits;
    event->callback = callback;
    event->arg = arg;
    event->timeout = FOREVER;
    return &event->event;
}

static struct ub_event *base_no_signal(struct ub_event_base *base, int number, event_callback *callback, void *arg)
{
    (void)base;
    (void)number;
    (void)callback;
    (void)arg;
    return NULL;
}

static struct ub_event *base_no_wsaevent(struct ub_event_base *base, void *wsaevent, event_callback *callback,
                                         void *arg)
{
    (void)wsaevent;
    return base_no_signal(base, 0, callback, arg);
}

static void base_free(struct ub_event_base *base)
{
    (void)base;
}

static int base_dispatch(struct ub_event_base *base)
{
    (void)base;
    return -1;
}

static int base_loopexit(struct ub_event_base *base, struct timeval *after)
{
    (void)base;
    (void)after;
    return 0;
}

static struct ub_event_base_vmt base_calls = {
    .free = base_free,
    .dispatch = base_dispatch,
    .loopexit = base_loopexit,
    .new_event = base_new_event,
    .new_signal = base_no_signal,
    .winsock_register_wsaevent = base_no_wsaevent,
};

int dns_events_new(struct loop *loop, struct dns_events **ret_events)
{
    struct dns_events *events = mem_new(sizeof(*events));
    if (events == NULL)
        return -ENOMEM;
    events->base = (struct ub_event_base){.magic = UB_EVENT_MAGIC, .vmt = &base_calls};
    events->loop = loop;
    *ret_events = events;
    return 0;
}

void dns_events_free(struct dns_events *events)
{
    free(events);
}

struct ub_event_base *dns_events_base(struct dns_events *events)
{
    return &events->base;
}

bool dns_events_lacked_memory(const struct dns_events *events)
{
    return events->lacked_memory;
}
