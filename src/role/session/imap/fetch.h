#pragma once

#include "role/session/imap/imap.h"
#include "role/session/imap/source.h"

/* A FETCH under way. */
struct fetch {
    struct run *run;
    unsigned items;
    uint32_t next; /* UID to go on from */
    struct buf *out;
    /* Flags as text: most messages have the same as the one before. */
    struct buf flags;
    uint64_t flags_of;
    bool flags_recent;
    bool flags_known;
    struct vault_member *rows; /* of messages with content */
    size_t count;
    size_t done; /* of them */
    int fault;   /* of the last message that could not be read */
};

/* Responses that nobody asked for, of messages in the client's view, as to `UID FETCH first:last`. */
MUST_USE int fetch_unasked(struct task *task, struct client *client, const struct imap_fetch *what,
                           struct vault_range range);

/* row.c: `* n FETCH (` and what the narrow row holds but flags; false: none of its items was asked for. */
bool fetch_write_row(struct fetch *fetch, size_t number, const struct vault_member *member);
void fetch_write_flags(struct fetch *fetch, const struct vault_member *member, bool begun);

/* body.c: whether the caches hold all of the items that are about structure, and as the client can take them; then
 * they can be written. */
bool fetch_is_cached(const struct run *run, span_t envelope, span_t structure, unsigned items);
void fetch_write_cached(struct buf *out, span_t envelope, span_t structure, unsigned items, bool begun);

/* body.c: appends one BODY[…] item with its value to client->out, streaming what is large. *streamed is set once part
 * of the response is on its way, so that it cannot be taken back. */
MUST_USE int fetch_body(struct task *task, struct run *run, struct source *source, const struct imap_body *body,
                        bool *streamed);

/* body.c: appends THREADID (RFC 8474 §5.3). */
MUST_USE int fetch_thread(struct run *run, struct source *source);

/* body.c: a literal, sent on as it grows. */
MUST_USE int fetch_write_literal(struct task *task, struct run *run, span_t bytes, bool *streamed);

/* preview.c: appends PREVIEW (RFC 8970 §3). */
MUST_USE int fetch_preview(struct task *task, struct run *run, struct source *source);

/* binary.c: the same for BINARY and BINARY.SIZE. -EILSEQ: an encoding that nobody knows. */
MUST_USE int fetch_binary(struct task *task, struct run *run, struct source *source, const struct imap_body *body,
                          bool *streamed);

/* Appends ENVELOPE, BODY and BODYSTRUCTURE, those that are asked for, each with a space before it. */
MUST_USE int fetch_structure(struct task *task, struct run *run, struct source *source, unsigned items);
