#include "ipc/wiring.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "rt/task.h"

#define PEERS_MAX 256U
#define STATUS_MAX 16384U
#define NOTES_MAX 8192U
#define LOST_PAUSE_MS 200

struct wiring {
    struct loop *loop;
    const struct wiring_hooks *hooks;
    void *arg;
    struct channel *supervisor;
    struct channel *peers[PEERS_MAX];
    size_t peer_count;
    size_t turn;
    enum ipc_role self;
};

static void on_peer_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct wiring *wiring = arg;
    wiring->hooks->message(wiring->arg, channel, message);
}

/* A channel that is to be asked for anew, but not at once: what ended it may last. */
struct lost {
    struct wiring *wiring;
    enum ipc_role peer;
    uint32_t index;
};

static void lost_task(struct task *task, void *arg)
{
    AUTO_FREE struct lost *lost = arg;
    if (task_sleep(task, LOST_PAUSE_MS) < 0 || wiring_peer(lost->wiring, lost->peer, lost->index) != NULL)
        return;
    struct ipc_message message = {.type = IPC_lost, .lost = {.peer = (uint32_t)lost->peer, .index = lost->index}};
    int result = channel_send(lost->wiring->supervisor, &message);
    if (result < 0)
        log_error("wiring.lost.unsent", F_FAULT(result));
}

static void report_lost(struct wiring *wiring, enum ipc_role peer, uint32_t index)
{
    AUTO_FREE struct lost *lost = mem_new(sizeof(*lost));
    int result = lost == NULL ? -ENOMEM : 0;
    if (result == 0) {
        *lost = (struct lost){wiring, peer, index};
        result = task_spawn(wiring->loop, "wiring.lost", lost_task, lost, NULL);
    }
    if (result == 0)
        (void)TAKE(lost);
    else
        log_error("wiring.lost.unsent", F_FAULT(result));
}

/* Where the peer has died, the supervisor sees that itself; but a session cannot tell whether store has died, or has
 * let go of it alone. A session is nobody's to wire anew but its own. */
static bool is_to_report(const struct wiring *wiring, const struct channel *channel)
{
    return wiring->self == ROLE_SESSION || (channel_fault(channel) != 0 && channel_peer(channel) != ROLE_SESSION);
}

static void on_peer_closed(void *arg, struct channel *channel)
{
    struct wiring *wiring = arg;
    for (size_t i = 0; i < wiring->peer_count; i++) {
        if (wiring->peers[i] != channel)
            continue;
        wiring->peers[i] = wiring->peers[--wiring->peer_count];
        if (is_to_report(wiring, channel))
            report_lost(wiring, channel_peer(channel), (uint32_t)channel_tag(channel));
        if (wiring->hooks->peer_gone != NULL)
            wiring->hooks->peer_gone(wiring->arg, channel);
        channel_unref(channel);
        return;
    }
}

static const struct channel_hooks peer_hooks = {.message = on_peer_message, .closed = on_peer_closed};

static void on_wire(struct wiring *wiring, struct ipc_message *message)
{
    uint32_t role = message->wire.peer;
    struct channel *channel = NULL;
    if (role >= ROLE_COUNT || wiring->peer_count == PEERS_MAX)
        return;
    struct channel *earlier = wiring_peer(wiring, (enum ipc_role)role, message->wire.index);
    if (earlier != NULL) {
        channel_close(earlier);
        on_peer_closed(wiring, earlier);
    }
    int result = channel_new(wiring->loop, ipc_message_take_fd(message, 0), wiring->self, (enum ipc_role)role,
                             &peer_hooks, wiring, &channel);
    if (result < 0) {
        log_error("wiring.peer.failed", F_FAULT(result));
        report_lost(wiring, (enum ipc_role)role, message->wire.index);
        return;
    }
    channel_set_tag(channel, message->wire.index);
    wiring->peers[wiring->peer_count++] = channel;
    if (wiring->hooks->peer != NULL)
        wiring->hooks->peer(wiring->arg, channel);
}

static void on_begin(struct wiring *wiring, struct ipc_message *message)
{
    int result = wiring->hooks->begin(wiring->arg);
    if (result == 0) {
        struct ipc_message ready = {.type = IPC_ready};
        result = channel_reply(wiring->supervisor, message->call, &ready);
    }
    if (result < 0) {
        log_error("role.begin.failed", F_FAULT(result));
        channel_close(wiring->supervisor);
        loop_stop(wiring->loop);
    }
}

static void on_listener(struct wiring *wiring, struct ipc_message *message)
{
    if (wiring->hooks->listener != NULL && message->listener.service < SERVICE_COUNT)
        wiring->hooks->listener(wiring->arg, (enum ipc_service)message->listener.service,
                                ipc_message_take_fd(message, 0));
}

static void on_status(struct wiring *wiring, struct ipc_message *message)
{
    AUTO_BUF struct buf json;
    AUTO_BUF struct buf notes;
    buf_init(&json, STATUS_MAX);
    buf_init(&notes, NOTES_MAX);
    (void)buf_append_format(&json, "{\"role\":\"%s\",\"pid\":%d", ipc_role_name(wiring->self), (int)getpid());
    if (wiring->hooks->status != NULL)
        wiring->hooks->status(wiring->arg, &json);
    (void)buf_append_byte(&json, '}');
    if (wiring->hooks->notes != NULL)
        wiring->hooks->notes(wiring->arg, &notes);
    const char *trouble = wiring->hooks->trouble != NULL ? wiring->hooks->trouble(wiring->arg) : NULL;
    struct ipc_message reply = {
        .type = IPC_status_done,
        .status_done = {.json = buf_span(&json), .trouble = span_of_text(trouble), .notes = buf_span(&notes)},
    };
    if (buf_fault(&json) < 0)
        reply.status_done.json = SPAN("{}");
    int result = channel_reply(wiring->supervisor, message->call, &reply);
    if (result < 0)
        log_debug("role.status.unsent", F_FAULT(result));
}

static void on_stop(struct wiring *wiring)
{
    if (wiring->hooks->stop != NULL)
        wiring->hooks->stop(wiring->arg);
    else
        loop_stop(wiring->loop);
}

static void on_supervisor_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct wiring *wiring = arg;
    if (message->type == IPC_wire)
        on_wire(wiring, message);
    else if (message->type == IPC_begin)
        on_begin(wiring, message);
    else if (message->type == IPC_listener)
        on_listener(wiring, message);
    else if (message->type == IPC_status)
        on_status(wiring, message);
    else if (message->type == IPC_stop)
        on_stop(wiring);
    else
        wiring->hooks->message(wiring->arg, channel, TAKE(message));
    ipc_message_free(message);
}

static void on_supervisor_closed(void *arg, struct channel *channel)
{
    struct wiring *wiring = arg;
    (void)channel;
    log_warn("role.orphaned");
    loop_stop(wiring->loop);
}

static const struct channel_hooks supervisor_hooks = {
    .message = on_supervisor_message,
    .closed = on_supervisor_closed,
};

int wiring_new(struct loop *loop, int supervisor_fd, enum ipc_role self, const struct wiring_hooks *hooks, void *arg,
               struct wiring **ret_wiring)
{
    AUTO_FD int fd = supervisor_fd;
    AUTO_FREE struct wiring *wiring = mem_new(sizeof(*wiring));
    if (wiring == NULL)
        return -ENOMEM;
    wiring->loop = loop;
    wiring->hooks = hooks;
    wiring->arg = arg;
    wiring->self = self;
    int result = channel_new(loop, TAKE_FD(fd), self, ROLE_SUPERVISOR, &supervisor_hooks, wiring, &wiring->supervisor);
    if (result < 0)
        return result;
    *ret_wiring = TAKE(wiring);
    return 0;
}

void wiring_free(struct wiring *wiring)
{
    if (wiring == NULL)
        return;
    for (size_t i = 0; i < wiring->peer_count; i++)
        channel_free(wiring->peers[i]);
    channel_free(wiring->supervisor);
    free(wiring);
}

struct channel *wiring_supervisor(struct wiring *wiring)
{
    return wiring->supervisor;
}

struct channel *wiring_peer(struct wiring *wiring, enum ipc_role role, uint32_t index)
{
    for (size_t i = 0; i < wiring->peer_count; i++) {
        if (channel_peer(wiring->peers[i]) == role && channel_tag(wiring->peers[i]) == index)
            return wiring->peers[i];
    }
    return NULL;
}

struct channel *wiring_any(struct wiring *wiring, enum ipc_role role)
{
    for (size_t i = 0; i < wiring->peer_count; i++) {
        struct channel *peer = wiring->peers[wiring->turn++ % wiring->peer_count];
        if (channel_peer(peer) == role && channel_is_open(peer))
            return peer;
    }
    return NULL;
}
