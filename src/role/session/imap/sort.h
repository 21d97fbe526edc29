#pragma once

#include "role/session/imap/search.h"

/*
 * Messages with what they are sorted by (RFC 5256 §2, §3). Made of the narrow rows and the cached envelopes, so that a
 * hundred thousand are in order within a second; a message whose envelope is not cached is opened.
 */
struct sort_value {
    int64_t number;
    span_t text; /* folded, so that comparing bytes is comparing letters (RFC 5051) */
};

struct sort_entry {
    uint32_t uid;
    uint64_t email;
    uint64_t size;
    int64_t received; /* microseconds */
    uint8_t score;    /* of a fuzzy search (RFC 6203 §4), else 0 */
    struct sort_value *values;
};

struct sort_table {
    const struct imap_sort_key *order;
    size_t order_count;
    struct sort_entry *entries;
    size_t count;
    struct arena *arena; /* of entries and values */
};

/* The messages found that are still there, in order of UID, with their values. sort_table_free in any case. */
MUST_USE int sort_table_fill(struct task *task, struct run *run, const struct search_found *found,
                             struct sort_table *table);
void sort_table_order(struct sort_table *table); /* by its keys, then by UID */
void sort_table_free(struct sort_table *table);
