#pragma once

#include "ipc/transfer.h"
#include "role/session/session.h"
#include "rt/stream.h"

/*
 * A command of the account's owner, who has shown his credential to keeper: it came as words, and its answer goes over
 * a socket of its own (ipc/frame.h), of which gate is no part. It counts as a client, so the session stays for it, and
 * runs as one task among those of the connections: it has to give them their turn.
 */
#define SERVICES_MAX 4U /* at a time */

struct service {
    struct session *session;
    struct stream *stream;
    struct buf words; /* each ended by NUL; the first is the command */
    struct buf out;
    const char *refused; /* why it cannot be done, for the error of the end; or NULL */
    size_t read;         /* bytes of the frame that was lent out last */
    int64_t progressed;  /* when progress was last told */
};

/* Takes the descriptor, always. */
MUST_USE int service_start(struct session *session, int fd, span_t words);

bool service_has_word(const struct service *service, span_t word);

/* Output for the tool; sent when it is much. Faults mean that the tool has gone, or the loop ends. */
MUST_USE int service_output(struct task *task, struct service *service, span_t bytes);
/* Tells how far it is, a few times a second, and sends what there is. */
MUST_USE int service_progress(struct task *task, struct service *service, const struct frame_progress *progress);

/* The other way, for commands that talk with the tool (ipc/transfer.h). service_say sends when it is much. */
MUST_USE int service_say(struct task *task, struct service *service, const struct transfer *transfer);
MUST_USE int service_flush(struct task *task, struct service *service);
/* The next thing the tool says, valid until the next call; waits for it. -EPIPE: it has gone. -EBADMSG. */
MUST_USE int service_hear(struct task *task, struct service *service, struct transfer *ret_transfer);

/* What to answer where the command cannot be done, for a reason that lasts: text must live on. Returns the exit status.
 */
MUST_USE int service_refuse(struct service *service, const char *why);

/* Commands: they answer the exit status, or a fault, which is told as the error. */
typedef int service_function(struct task *task, struct service *service);
service_function service_check; /* check.c */
service_function service_index; /* reindex.c */
service_function service_import;
service_function service_export;
