#pragma once

#include <stdint.h>

#include "base/result.h"
#include "base/scope.h"
#include "ipc/row.h"

/*
 * What an account sends to people elsewhere within the hour that ends now, against what it may. All is counted, limits
 * or not, so that one that is set holds at once. Kept in memory alone. Pure: the time is given, in seconds.
 */
struct spending;

enum spending_kind { SPENDING_RECIPIENTS, SPENDING_MESSAGES, SPENDING_KINDS };

#define SPENDING_DEFAULT UINT64_MAX /* of an account's own limits: what the settings say for all */
#define SPENDING_LIMIT_MAX 1000000U

struct spending_limits {
    uint64_t per_hour[SPENDING_KINDS]; /* 0: any number */
};

/* The account's own ones, with the settings' where it has none. */
struct spending_limits spending_limits_of(const struct spending_limits *own, const struct spending_limits *defaults);

struct spending_refusal {
    enum spend_outcome why;
    uint64_t per_hour; /* the limit that it was */
    int64_t wait;      /* seconds; none with SPEND_BEYOND */
};

MUST_USE int spending_new(struct spending **ret_spending);
void spending_free(struct spending *spending);

/* Counts one message to so many recipients, all of it or nothing. An enum spend_outcome, with *ret_refusal set unless
 * that is SPEND_OK; or -ENOMEM: then it is not counted. */
MUST_USE int spending_take(struct spending *spending, uint64_t account, uint64_t recipients, int64_t now,
                           const struct spending_limits *limits, struct spending_refusal *ret_refusal);

uint64_t spending_used(const struct spending *spending, enum spending_kind kind, uint64_t account, int64_t now);

SCOPE_OF(spending)
