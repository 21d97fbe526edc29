#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "role/supervisor/state.h"

/* Who speaks with whom. Sessions come and go: session.c wires them. */
static const struct {
    enum ipc_role one;
    enum ipc_role other;
} pairs[] = {
    {ROLE_GATE, ROLE_KEEPER},   {ROLE_INTAKE, ROLE_KEEPER},  {ROLE_GATE, ROLE_INTAKE},    {ROLE_INTAKE, ROLE_STORE},
    {ROLE_COURIER, ROLE_STORE}, {ROLE_COURIER, ROLE_KEEPER}, {ROLE_COURIER, ROLE_INTAKE},
};

static bool is_pair(enum ipc_role one, enum ipc_role other)
{
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if ((pairs[i].one == one && pairs[i].other == other) || (pairs[i].one == other && pairs[i].other == one))
            return true;
    }
    return false;
}

static int send_wire(const struct child *child, const struct child *peer, int fd)
{
    struct ipc_message wire = {
        .type = IPC_wire,
        .fd_count = 1,
        .fds = {fd},
        .wire = {.peer = (uint32_t)peer->role, .index = peer->index},
    };
    return channel_send(child->channel, &wire);
}

/* At the first start every pair comes along twice, once from each side: the earlier of the two in the table does it. */
static bool is_mine(const struct child *child, const struct child *peer)
{
    if (peer->channel == NULL || !is_pair(child->role, peer->role))
        return false;
    return child->supervisor->is_started || peer < child;
}

static int wire_peer(const struct child *child, const struct child *peer)
{
    int fds[2];
    int result = channel_pair(fds);
    if (result < 0)
        return result;
    result = send_wire(child, peer, fds[0]);
    int other = send_wire(peer, child, fds[1]);
    if (other < 0)
        log_debug("supervisor.wire.unsent", F_FAULT(other)); /* that peer is dying: it is wired when it is back */
    return result;
}

int wire_listeners(const struct child *child)
{
    const struct supervisor *supervisor = child->supervisor;
    for (size_t i = 0; i < supervisor->listener_count; i++) {
        int fd = fcntl(supervisor->listeners[i].fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        struct ipc_message message = {
            .type = IPC_listener,
            .fd_count = 1,
            .fds = {fd},
            .listener = {.service = (uint32_t)supervisor->listeners[i].service},
        };
        int result = channel_send(child->channel, &message);
        if (result < 0)
            return result;
    }
    return 0;
}

static void begin(struct task *task, void *arg)
{
    struct child *child = arg;
    struct ipc_message request = {.type = IPC_begin};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    if (child->channel == NULL)
        return;
    int result = channel_call(task, child->channel, &request, &reply);
    if (result < 0)
        return; /* its end is being reported */
    child->is_ready = true;
    log_debug("role.ready", F_TEXT("which", ipc_role_name(child->role)), F_U64("index", child->index));
    event_pulse(&child->supervisor->ended);
    if (child->role == ROLE_STORE) {
        session_rewire_store(child->supervisor);
        forget_rest(child->supervisor);
    }
}

int wire_child(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    int result = 0;
    for (size_t i = 0; result == 0 && i < supervisor->child_count; i++) {
        if (is_mine(child, &supervisor->children[i]))
            result = wire_peer(child, &supervisor->children[i]);
    }
    if (result == 0 && child->role == ROLE_GATE && child->stage == CHILD_SERVES)
        result = wire_listeners(child);
    return result < 0 ? result : task_group_spawn(&supervisor->tasks, supervisor->loop, "begin", begin, child);
}

void wire_again(const struct child *child, enum ipc_role role, uint32_t index)
{
    const struct child *peer = child_find(child->supervisor, role, index);
    if (peer == NULL || peer->channel == NULL || !is_pair(child->role, role))
        return;
    int result = wire_peer(child, peer);
    log_warn("supervisor.rewired", F_TEXT("which", ipc_role_name(child->role)), F_TEXT("peer", ipc_role_name(role)),
             F_FAULT(result));
}
