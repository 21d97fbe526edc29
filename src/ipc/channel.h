#pragma once

#include "ipc/message.h"
#include "rt/loop.h"

/*
 * A connection between two roles: requests and answers over a SOCK_SEQPACKET socket, both ways, many at a time. What
 * the peer must not send (messages.def), and what cannot be decoded, ends the channel and never more than that.
 * Channels are counted: a task that answers later holds a reference; a closed channel stays valid, and sending
 * over it answers -EPIPE.
 */
struct channel;
struct task;

struct channel_hooks {
    /* A message that is no answer; takes it (ipc_message_free). Runs on the loop, outside any task: usually it spawns
     * one that ends with channel_reply(channel, message->call, …). */
    void (*message)(void *arg, struct channel *channel, struct ipc_message *message);
    /* The channel ended, by the peer or for a fault; not after channel_close(). May be NULL. */
    void (*closed)(void *arg, struct channel *channel);
};

#define CHANNEL_QUEUE_MAX (32U << 20) /* bytes waiting for a peer that does not read */

/* A connected pair of sockets fit for channels, close-on-exec and non-blocking. */
MUST_USE int channel_pair(int ret_fds[2]);

/* Takes the descriptor, always. hooks is kept by reference. The caller holds the one reference. */
MUST_USE int channel_new(struct loop *loop, int fd, enum ipc_role self, enum ipc_role peer,
                         const struct channel_hooks *hooks, void *arg, struct channel **ret_channel);
struct channel *channel_ref(struct channel *channel);
void channel_unref(struct channel *channel);
void channel_free(struct channel *channel); /* channel_close(), then channel_unref() */

/* Ends it now: calls under way answer -EPIPE, what is queued is lost. */
void channel_close(struct channel *channel);
bool channel_is_open(const struct channel *channel);
/* Why it was ended on this side; 0 where the peer has just gone, or nothing has happened. */
int channel_fault(const struct channel *channel);
enum ipc_role channel_peer(const struct channel *channel);
size_t channel_queued(const struct channel *channel); /* bytes not yet sent */

/* Gives back the memory that large messages were received into. For a quiet moment. */
void channel_trim(void);

/* A number of the owner's, to tell channels apart: the peer's index, an account. 0 at first. */
void channel_set_tag(struct channel *channel, uint64_t tag);
uint64_t channel_tag(const struct channel *channel);

/* Sends without expecting an answer; never suspends. All three take the message's descriptors, always; the fields need
 * to live only until the return. -EPIPE; -EMSGSIZE; -ENOBUFS where the queue is full, which also ends the channel. */
MUST_USE int channel_send(struct channel *channel, struct ipc_message *message);
MUST_USE int channel_reply(struct channel *channel, uint64_t call, struct ipc_message *reply);

/* Sends and waits for the answer, which has the type that messages.def says. -EPIPE once the channel has ended. An
 * answer that comes after a timeout or cancelling is dropped. */
MUST_USE int channel_call(struct task *task, struct channel *channel, struct ipc_message *request,
                          struct ipc_message **ret_reply);
MUST_USE int channel_call_within(struct task *task, struct channel *channel, struct ipc_message *request,
                                 int64_t timeout_ms, struct ipc_message **ret_reply);

SCOPE_OF(channel)
