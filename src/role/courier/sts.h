#pragma once

#include "base/arena.h"
#include "trust/mtasts/policy.h"
#include "trust/tlsrpt/report.h"

/*
 * The MTA-STS policies of the domains that mail goes to (RFC 8461): fetched when they are first needed, kept, also in
 * the log, until max_age is over, and fetched again when their id changes or half of max_age is gone. A fetch that
 * fails leaves the policy as it was, and is tried again after five minutes at the soonest (RFC 8461 §3.3). No more than
 * STS_MAX are kept; the one that ends first makes room.
 */
#define STS_MAX 4096U
#define STS_BYTES_MAX (16U << 20) /* of all policies */

struct courier;
struct routing;
struct sts_cache;
struct task;

MUST_USE int sts_cache_new(struct sts_cache **ret_cache);
void sts_cache_free(struct sts_cache *cache);
SCOPE_OF(sts_cache)

/* What holds for a domain. */
struct sts_found {
    const struct mtasts_policy *policy; /* the arena's; NULL: there is none */
    bool has_failed; /* a policy should have been fetched, and could not be: what reports say of it */
    enum tlsrpt_result_type failure;
    char reason[160];
};

/* May take a minute. -ENOMEM, -ECANCELED. */
MUST_USE int sts_find(struct task *task, struct courier *courier, const struct routing *routing, const char *domain,
                      struct sts_found *ret_found);

/* One that was kept, as it is found in the queue, newest first. -EBADMSG: it is none; -ENOMEM. */
MUST_USE int sts_take(struct courier *courier, uint64_t record, span_t bytes);

/* Fetches anew what is used, before it is over (RFC 8461 §10.2). */
void sts_refresh_task(struct task *task, void *arg);
