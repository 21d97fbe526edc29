#pragma once

#include "base/buf.h"
#include "role/gate/gate.h"

/* The line-by-line conversation with a client who has yet to log in, as IMAP and POP3 have it. */
struct dialog {
    struct connection *connection;
    struct buf input;  /* what the client has said and nobody has consumed */
    struct buf output; /* what goes out with the next flush, and before more is read */
    struct buf *early; /* what the client has said before what its stream has, or NULL */
};

void dialog_init(struct dialog *dialog, struct connection *connection, size_t max);
void dialog_deinit(struct dialog *dialog); /* wipes the input: it may hold a password */

MUST_USE int dialog_flush(struct task *task, struct dialog *dialog);
/* Says what there is to say, then waits for more. -ECONNRESET where the client has ended, -ETIMEDOUT, -ENOBUFS. */
MUST_USE int dialog_fill(struct task *task, struct dialog *dialog);

/* All of what the client has said early is input now. */
MUST_USE int dialog_gather(struct dialog *dialog);

/* Removes what was understood from the input, and wipes it. */
void dialog_consume(struct dialog *dialog, size_t len);

/* Whether the client has said more than the line at hand, by now: after STARTTLS and STLS that must not be. */
bool dialog_has_more(const struct dialog *dialog);

/* The last words, for which the client's time need not suffice, and the end of the connection. */
void dialog_end(struct task *task, struct dialog *dialog);
