#pragma once

#include <stdbool.h>

#include "base/arena.h"

/*
 * Sequence sets (RFC 3501 §9: sequence-set), and "$", the saved search result (RFC 5182). After imap_set_fix the ranges
 * are ascending, disjoint and not adjacent.
 */
#define IMAP_SET_STAR UINT32_MAX /* "*", as it comes from the parser */
#define IMAP_SET_RANGES_MAX 16384U

struct imap_range {
    uint32_t first;
    uint32_t last;
};

struct imap_set {
    struct imap_range *ranges;
    size_t count;
    bool saved; /* "$" */
};

/* Parses from the front of *rest. -EINVAL: no set. -E2BIG: too many ranges. -ENOMEM. */
MUST_USE int imap_set_parse(span_t *rest, struct arena *arena, struct imap_set *ret_set);

/* Puts `largest` for "*" (RFC 3501 §9: seq-number) and brings the ranges in order. With largest 0 the set is empty. */
void imap_set_fix(struct imap_set *set, uint32_t largest);

bool imap_set_has(const struct imap_set *set, uint32_t number);     /* after imap_set_fix */
bool imap_set_beyond(const struct imap_set *set, uint32_t largest); /* names a number above largest */

/* Writes sets: numbers ascending, runs as first:last. */
struct imap_set_writer {
    struct buf *out;
    uint32_t first;
    uint32_t last;
    bool any;
};
void imap_set_writer_start(struct imap_set_writer *writer, struct buf *out);
void imap_set_writer_add(struct imap_set_writer *writer, uint32_t number);
void imap_set_writer_end(struct imap_set_writer *writer);
