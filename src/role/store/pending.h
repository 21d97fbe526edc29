#pragma once

#include "base/buf.h"
#include "role/store/files.h"

/*
 * What each account has not yet taken in: a chain through the log, newest first. In memory stand only its head and
 * those further down that were taken out of turn.
 */
struct pending;

/* Above this many records taken out of turn an account is told -ENOBUFS, unless it takes its newest: that makes room.
 */
#define PENDING_TAKEN_MAX 1048576U

MUST_USE int pending_new(struct files *files, struct pending **ret_pending);
void pending_free(struct pending *pending);
SCOPE_OF(pending)

/* The account's newest pending record, or 0: what a new record has to name as the one before. */
uint64_t pending_head(const struct pending *pending, uint64_t account);

/* A record was appended: it is its recipient's newest. -ENOMEM. */
MUST_USE int pending_push(struct pending *pending, uint64_t account, uint64_t record);

/* Appends rows of PENDING_ROW_SIZE, newest first, from below `before` (0: from the newest). */
MUST_USE int pending_list(struct pending *pending, uint64_t account, uint64_t before, uint32_t limit, struct buf *rows,
                          bool *ret_more);

/* The account needs to hear of this record no more. Unknown and repeated ones are ignored. -ENOBUFS, -ENOMEM.
 * Of several, the newest is to be taken first. */
MUST_USE int pending_take(struct pending *pending, uint64_t account, uint64_t record);

/* A replayed record says that `head` was its account's newest: what stands above it had been taken. -ENOMEM and so on.
 */
MUST_USE int pending_advance(struct pending *pending, uint64_t account, uint64_t head);

/* Takes back the latest push to this account, before which `before` was its newest. */
void pending_undo(struct pending *pending, uint64_t account, uint64_t before);

/* Forgets the account. */
MUST_USE int pending_forget(struct pending *pending, uint64_t account);

/* For the checkpoint. */
MUST_USE int pending_save(const struct pending *pending, struct buf *into);
MUST_USE int pending_load(struct pending *pending, span_t *from);
size_t pending_accounts(const struct pending *pending);
size_t pending_bridges(const struct pending *pending); /* damaged heads that were met */
