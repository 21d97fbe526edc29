#pragma once

#include "role/session/imap/imap.h"
#include "role/session/imap/source.h"

/* body.c: appends one BODY[…] item with its value to client->out, streaming what is large. *streamed is set once part
 * of the response is on its way, so that it cannot be taken back. */
MUST_USE int fetch_body(struct task *task, struct run *run, struct source *source, const struct imap_body *body,
                        bool *streamed);

/* Appends ENVELOPE, BODY and BODYSTRUCTURE, those that are asked for, each with a space before it. */
MUST_USE int fetch_structure(struct task *task, struct run *run, struct source *source, unsigned items);
