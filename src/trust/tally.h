#pragma once

#include "base/arena.h"
#include "base/buf.h"

/*
 * What is counted for a report that we send, between those who count it and the report: rows of a context (the policy
 * that counted), of what was counted, and of how often. Both are lists of texts, whose order tlsrpt/tally.c and
 * dmarc/tally.c know. Pure.
 */
struct tally_item {
    span_t context;
    span_t what;
    uint64_t count;
};

/* Appends a text to such a list, cut to most bytes and made UTF-8 without controls; an empty one keeps its place.
 * The buffer remembers faults. */
void tally_text_add(struct buf *list, span_t text, size_t most);

/* Takes the next text off a list as the arena's copy; NULL where it is empty, or the list at its end.
 * 0, -ENOMEM. */
MUST_USE int tally_text_next(span_t *list, struct arena *arena, const char **ret_text);
