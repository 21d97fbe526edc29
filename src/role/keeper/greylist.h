#pragma once

#include "base/scope.h"
#include "base/span.h"

/*
 * Who has been asked to come again, and did. A first message of a client's network, sender and recipient waits; what
 * comes again after the delay passes, and so does all that follows. Pure: the time is given, in seconds. What was
 * touched longest ago is forgotten where the table is full. It is kept in memory alone: after a restart everybody waits
 * once more.
 */
struct greylist;

#define GREYLIST_MAX 200000U              /* triples */
#define GREYLIST_PATIENCE (48L * 3600)    /* one that does not come again within that time is new again */
#define GREYLIST_MEMORY (36L * 24 * 3600) /* one that has passed is remembered so long after its last message */

enum greylist_answer { GREYLIST_PASS, GREYLIST_WAIT };

/* key: 16 random bytes. */
MUST_USE int greylist_new(const uint8_t key[16], struct greylist **ret_greylist);
void greylist_free(struct greylist *greylist);

/* An enum greylist_answer, or -ENOMEM. triple: any bytes that name the three. */
MUST_USE int greylist_ask(struct greylist *greylist, span_t triple, int64_t now, int64_t delay);

SCOPE_OF(greylist)
