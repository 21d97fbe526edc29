#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "ipc/row.h"

/*
 * The messages between roles, from messages.def: for each block a constant IPC_name and a struct ipc_name, and a codec
 * that checks sizes. On the wire: type 2, flags 2, call number 8, then the fields in their order, numbers
 * little-endian, bytes with their length (4) before them; nothing may follow.
 *
 *     struct ipc_message request = {.type = IPC_resolve, .resolve = {.address = address}};
 */
#define MESSAGE(name, senders, receivers, descriptors) IPC_##name,
#define U32(field)
#define U64(field)
#define BYTES(field, max)
#define END(name)
enum ipc_type {
#include "ipc/messages.def"
    IPC_TYPE_COUNT
};
#undef MESSAGE
#undef U32
#undef U64
#undef BYTES
#undef END

#define MESSAGE(name, senders, receivers, descriptors) struct ipc_##name {
#define U32(field) uint32_t field;
#define U64(field) uint64_t field;
#define BYTES(field, max) span_t field;
#define END(name)                                                                                                      \
    }                                                                                                                  \
    ;
#include "ipc/messages.def"
#undef MESSAGE
#undef U32
#undef U64
#undef BYTES
#undef END

#define IPC_FDS_MAX 2U
#define IPC_PACKET_MAX (256U << 10) /* of one message, encoded */

struct ipc_message {
    enum ipc_type type;
    uint64_t call; /* 0: expects no answer and is none */
    bool is_reply;
    unsigned fd_count;
    int fds[IPC_FDS_MAX];
    union {
#define MESSAGE(name, senders, receivers, descriptors) struct ipc_##name name;
#define U32(field)
#define U64(field)
#define BYTES(field, max)
#define END(name)
#include "ipc/messages.def"
#undef MESSAGE
#undef U32
#undef U64
#undef BYTES
#undef END
    };
};

/* A message that came in: one heap block, into which its spans point. Frees it and closes the descriptors left in fds.
 */
void ipc_message_free(struct ipc_message *message);

/* Moves a descriptor out of a message: the caller owns it. -1 where there is none. */
int ipc_message_take_fd(struct ipc_message *message, unsigned which);
void ipc_message_close_fds(struct ipc_message *message);

/* Appends the packet. -EMSGSIZE where a field is longer than messages.def allows. */
MUST_USE int ipc_message_encode(const struct ipc_message *message, struct buf *packet);

/* Without descriptors. -EBADMSG for anything that messages.def does not allow. */
MUST_USE int ipc_message_decode(span_t packet, struct ipc_message **ret_message);

/* Whether such a role may send it to such a role. */
bool ipc_may_send(enum ipc_type type, enum ipc_role from, enum ipc_role to);
unsigned ipc_fd_count(enum ipc_type type);                  /* how many descriptors it carries, at the most */
bool ipc_fd_count_fits(enum ipc_type type, unsigned count); /* none is always allowed in an answer, too */

/* Whether it is a request with a call number where it has an answer, or an answer marked as one. */
bool ipc_call_fits(const struct ipc_message *message);

/* The message that answers a request, or IPC_TYPE_COUNT where it has no answer. */
enum ipc_type ipc_answer(enum ipc_type request);

const char *ipc_type_name(enum ipc_type type);
const char *ipc_role_name(enum ipc_role role);

SCOPE_OF(ipc_message)
