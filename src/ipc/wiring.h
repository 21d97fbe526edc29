#pragma once

#include "base/buf.h"
#include "ipc/channel.h"

/*
 * How a role hangs together with the others: its channel to the supervisor, and the channels to its peers that come
 * over it. Answers `wire`, `begin`, `status` and `stop`; hands everything else on. When the supervisor is gone, the
 * loop is stopped.
 */
struct wiring;

struct wiring_hooks {
    /* All is wired: open files, enter the confinement. `ready` is said when this returns 0; a fault ends the process.
     */
    int (*begin)(void *arg);
    /* A message of a peer or of the supervisor; takes it, as in channel_hooks. channel_peer() and channel_tag() (the
     * peer's index) tell whose it is. */
    void (*message)(void *arg, struct channel *channel, struct ipc_message *message);
    /* All of these may be NULL. */
    void (*peer)(void *arg, struct channel *channel);      /* a new peer, or one that replaces an earlier */
    void (*peer_gone)(void *arg, struct channel *channel); /* it is closed; wiring drops its reference after this */
    void (*listener)(void *arg, enum ipc_service service, int fd); /* takes the descriptor; without it, it is closed */
    void (*stop)(void *arg); /* finish and loop_stop(); without it, the loop is stopped */
    /* Appends members of a JSON object, each with a comma before it: ,"connections":3 */
    void (*status)(void *arg, struct buf *json);
    /* What is wrong, in words for the operator: the server counts as degraded. NULL: nothing is. */
    const char *(*trouble)(void *arg);
    /* Appends what the operator should look after, and what to do about it, in lines. The server may be well. */
    void (*notes)(void *arg, struct buf *lines);
};

/* Takes the descriptor, always. hooks is kept by reference. */
MUST_USE int wiring_new(struct loop *loop, int supervisor_fd, enum ipc_role self, const struct wiring_hooks *hooks,
                        void *arg, struct wiring **ret_wiring);
void wiring_free(struct wiring *wiring);

struct channel *wiring_supervisor(struct wiring *wiring);

/* The channel to a peer, or NULL while there is none. Take a reference to hold it across a suspension; channel_call()
 * takes its own. */
struct channel *wiring_peer(struct wiring *wiring, enum ipc_role role, uint32_t index);

/* One of several open peers of a role, in turn; NULL where there is none. */
struct channel *wiring_any(struct wiring *wiring, enum ipc_role role);

SCOPE_OF(wiring)
