#pragma once

#include "ipc/frame.h"

/*
 * What a tool and a session say to each other while mail is brought in or taken out: one of these in each frame, the
 * tool's in FRAME_INPUT, the session's in FRAME_OUTPUT. On the wire: kind (1), then the members the kind has.
 *
 *   import   tool: TRANSFER_ASK, answered by TRANSFER_KNOWN; TRANSFER_FLAGS of what is; TRANSFER_FOLDER; TRANSFER_HEAD
 * with its TRANSFER_DATA; TRANSFER_SYNC, answered by TRANSFER_DONE once all before it is durable and filed;
 * TRANSFER_END export   tool: one TRANSFER_FOLDER (the mailbox to start from, or none); session: for each mailbox
 * TRANSFER_FOLDER, then TRANSFER_HEAD with its TRANSFER_DATA, or TRANSFER_LOST, for each message
 */
#define TRANSFER_ORIGIN_SIZE 32U
#define TRANSFER_ASK_MAX 1024U                    /* origins in one question */
#define TRANSFER_DATA_MAX (FRAME_MAX - 1U)        /* bytes in one piece */
#define TRANSFER_MESSAGE_MAX (UINT64_C(64) << 20) /* a longer message is not brought in */
#define TRANSFER_TEXT_MAX 8192U                   /* of flags and of a mailbox name */

enum transfer_kind {
    TRANSFER_ASK = 1, /* bytes: origins; which of these messages are here, or were once? */
    TRANSFER_KNOWN,   /* bytes: one for each origin asked for, 1 or 0 */
    TRANSFER_FOLDER,  /* mailbox; size: how many messages are in it; to be made where it is missing */
    TRANSFER_HEAD,    /* a message: mailbox, flags, received, id, origin, and its size; so many bytes follow */
    TRANSFER_DATA,    /* bytes of it */
    TRANSFER_SYNC,
    TRANSFER_DONE, /* size: how many messages were filed so far; id: how many got other flags */
    TRANSFER_LOST, /* mailbox, id: a message that cannot be read */
    TRANSFER_END,
    TRANSFER_FLAGS, /* origin, flags: a message that is known has these flags at its source now */
    TRANSFER_KINDS
};

struct transfer {
    enum transfer_kind kind;
    uint64_t size;
    uint64_t id;      /* exported: UIDVALIDITY (high half) and UID */
    int64_t received; /* INTERNALDATE, microseconds since 1970 */
    span_t origin;    /* imported: TRANSFER_ORIGIN_SIZE bytes that name it where it comes from, or none */
    span_t mailbox;   /* in UTF-8, '/' between levels */
    span_t flags;     /* separated by spaces (RFC 3501 §2.3.2) */
    span_t bytes;
};

/* As a frame of that kind. -EMSGSIZE: too long for one. */
MUST_USE int transfer_write(struct buf *into, enum frame_kind kind, const struct transfer *transfer);
/* The spans point into the frame. -EBADMSG: it is none of these. */
MUST_USE int transfer_read(const struct frame *frame, struct transfer *ret_transfer);
