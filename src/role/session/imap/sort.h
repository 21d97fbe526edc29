#pragma once

#include "role/session/imap/search.h"
#include "role/session/sortkey.h"

/*
 * Messages with what they are sorted and threaded by (RFC 5256 §2, §3). Made of the narrow rows and of the keys in the
 * vault, so that a hundred thousand are in order within some hundredths of a second; a message that has no key there
 * yet is opened.
 */
struct sort_row {
    uint64_t email;
    uint64_t size;
    int64_t received; /* microseconds */
    uint32_t uid;
    uint8_t score; /* of a fuzzy search (RFC 6203 §4), else 0 */
};

struct sort_table {
    struct arena *arena;
    struct sort_row *rows; /* in order of UID */
    size_t count;
};

/* The messages found that are still there. sort_table_free in any case. */
MUST_USE int sort_table_fill(struct task *task, struct run *run, const struct search_found *found,
                             struct sort_table *table);
void sort_table_free(struct sort_table *table);

/* Tells fn the key of every row, in whatever order; it is valid until fn returns. A result other than 0 ends it. */
typedef int (*sort_key_fn)(void *arg, size_t row, const struct sort_key *key);
MUST_USE int sort_table_keys(struct task *task, struct run *run, const struct sort_table *table, sort_key_fn fn,
                             void *arg);

/* RFC 5256 §2.2: the sent date in UTC, in seconds; where there is none the one of arrival. */
int64_t sort_date(const struct sort_row *row, const struct sort_key *key);

/* What is sorted by, one value for each row of the table. */
struct sort_column {
    enum imap_sort_field field;
    bool reverse;
    span_t *texts;     /* of some fields, until they are in order, */
    uint64_t *numbers; /* when each has its rank in this: the same number for the same text */
};

struct sort_columns {
    const struct sort_table *table;
    struct sort_column *columns;
    size_t count;
};

MUST_USE int sort_columns_read(struct task *task, struct run *run, const struct sort_table *table,
                               const struct imap_sort_key *order, size_t count, struct sort_columns *ret_columns);
/* The places of rows, in order: by the columns, then by UID; in the table's arena. */
MUST_USE int sort_columns_order(struct task *task, const struct sort_columns *columns, uint32_t **ret_places);

/* The UIDs found in the command's order, without those that are gone by now; uids has room for all. */
MUST_USE int sort_found(struct task *task, struct run *run, const struct search_found *found, uint32_t *uids,
                        size_t *ret_count);

/*
 * The session keeps the last order of a mailbox that was sorted as a whole, up to so many messages (4 bytes each),
 * until the next one, or until the account is quiet.
 */
#define SORT_MEMO_MAX 1000000U
enum sort_memo_outcome { SORT_MEMO_USED = 1 };
/* uids: all of the mailbox, in the command's order; mailbox: as it was when they were found. */
void sort_memo_keep(struct run *run, const struct vault_mailbox *mailbox, const uint32_t *uids, size_t count);
/* SORT_MEMO_USED: uids, with room for as many, holds those found in the command's order. Else 0, or -ENOMEM. */
MUST_USE int sort_memo_use(const struct run *run, const struct vault_mailbox *mailbox, const struct search_found *found,
                           uint32_t *uids);
void sort_memo_drop(struct session *session);
