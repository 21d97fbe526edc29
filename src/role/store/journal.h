#pragma once

#include "base/list.h"
#include "role/store/pending.h"
#include "role/store/refs.h"

/*
 * The log: sealed records, durable before they are acknowledged. (base/log.h is about what a program reports; this one
 * holds mail.) Files lie in one folder: %016x.seg, and `checkpoint`, sealed under a key derived from the log's, which
 * bounds how much has to be read at the next opening. Nothing here suspends.
 *
 * Opening replays the log from the checkpoint: the first record that is not whole ends it, unless whole ones follow;
 * then it was damaged, and costs no more than itself (salvage.h).
 */
#define JOURNAL_SEGMENT_MAX (UINT64_C(256) << 20)
#define JOURNAL_STEP (UINT64_C(16) << 20)             /* preallocated at a time */
#define JOURNAL_CHECKPOINT_BYTES (UINT64_C(64) << 20) /* appended bytes after which a checkpoint is due */

struct journal_options {
    int dir;                         /* stays the caller's, must outlive the journal */
    span_t key;                      /* the header key */
    uint64_t segment_max;            /* 0: JOURNAL_SEGMENT_MAX */
    uint64_t step;                   /* 0: JOURNAL_STEP */
    const struct files_calls *calls; /* NULL: the system's */
};

struct journal;

/* One append. The caller keeps it, and what it points to, until done is called. */
struct journal_append {
    struct list_link link;
    span_t recipients; /* rows of KEY_ROW_SIZE, each account once, at least one */
    span_t body;
    uint64_t arrival; /* microseconds since 1970 */
    void (*done)(struct journal_append *append, enum append_outcome outcome);
    void *owner;
    /* set where the outcome is APPEND_OK */
    uint64_t record;
    uint64_t segment;
    uint64_t offset; /* of the body */
    /* journal's own */
    size_t head_len;
    uint8_t *head;
    struct record_head fields;
};

MUST_USE int journal_open(const struct journal_options *options, struct journal **ret_journal);
void journal_free(struct journal *journal); /* without a checkpoint: as a crash would leave it */
SCOPE_OF(journal)

/* Queues an append for the next commit. */
void journal_queue(struct journal *journal, struct journal_append *append);
bool journal_has_queued(const struct journal *journal);

/*
 * Writes all that is queued as one group, syncs once, and calls done for each: APPEND_OK, APPEND_FULL (no space; works
 * again when there is some), APPEND_FAILED. After a failed sync nobody can tell what is on the disk: nothing is
 * accepted any more until the next opening.
 */
void journal_commit(struct journal *journal);
int journal_fault(const struct journal *journal); /* the fault that closed it to appends, or 0 */

MUST_USE int journal_pending(struct journal *journal, uint64_t account, uint64_t before, uint32_t limit,
                             struct buf *rows, bool *ret_more);
MUST_USE int journal_taken(struct journal *journal, uint64_t account, const uint64_t *records, size_t count);
/* Durable when it returns 0. Releasing twice, or what is not the account's, changes nothing. */
MUST_USE int journal_release(struct journal *journal, uint64_t account, const uint64_t *records, size_t count);
/* A new read-only descriptor of a segment; -ENOENT. */
MUST_USE int journal_open_read(struct journal *journal, uint64_t segment);

/* Begins to release all records of an account; journal_work does it, also after a crash in between. */
MUST_USE int journal_forget(struct journal *journal, uint64_t account);
/* A short piece of background work; *ret_more says whether there is more: forgetting, freeing whole segments. */
MUST_USE int journal_work(struct journal *journal, bool *ret_more);

bool journal_is_changed(const struct journal *journal); /* since the last checkpoint */
bool journal_checkpoint_due(const struct journal *journal);
MUST_USE int journal_checkpoint(struct journal *journal);

struct journal_stats {
    uint64_t segments;
    uint64_t accounts; /* with something pending */
    uint64_t appended; /* since opening */
    uint64_t groups;
    uint64_t bytes;
    uint64_t replayed; /* records found at opening, after the checkpoint */
    uint64_t damaged;  /* places where records were found to be damaged; a body that is, shows to who reads it */
};
void journal_get_stats(const struct journal *journal, struct journal_stats *ret_stats);
