#pragma once

#include "base/scope.h"
#include "ipc/received.h"
#include "trust/reported/reported.h"

/*
 * A report of others as keeper gets it: for each domain that it is about, rows of ipc/received.h, the largest first. As
 * many as fit; all others are added up in rows that say only how it went, so that the sums stay true. Pure. What
 * strangers wrote into it is cut and cleaned of what means something elsewhere: control characters, quotes,
 * backslashes.
 */
#define DIGEST_DOMAINS_MAX 32U /* of one TLS report; further ones are left out */
#define DIGEST_DOMAIN_MAX 253U

struct digest_part {
    char domain[DIGEST_DOMAIN_MAX + 1];
    struct buf rows;
};

struct digest {
    enum received_kind kind;
    char organization[RECEIVED_TEXT_MAX + 1];
    char contact[RECEIVED_TEXT_MAX + 1];
    char id[RECEIVED_TEXT_MAX + 1]; /* where the report has none, made of its time */
    uint64_t first;
    uint64_t last;
    size_t count; /* 0: it names no domain */
    struct digest_part parts[DIGEST_DOMAINS_MAX];
};

/* The arena is for scratch: nothing of it stays. -ENOMEM. */
MUST_USE int digest_new(const struct reported *reported, struct arena *arena, struct digest **ret_digest);
void digest_free(struct digest *digest);
SCOPE_OF(digest)
