#pragma once

#include "base/scope.h"
#include "base/span.h"

/*
 * How many recipients elsewhere an account may still write to within the hour that ends now. An hour is counted in
 * ALLOWANCE_STEPS steps, the oldest of which falls away as time goes on. Pure: the time is given, in seconds.
 */
struct allowance;

#define ALLOWANCE_STEPS 12U
#define ALLOWANCE_ACCOUNTS_MAX 100000U /* with sent mail in the last hour; beyond it nobody new is counted */

enum allowance_answer { ALLOWANCE_GRANTED, ALLOWANCE_USED_UP };

MUST_USE int allowance_new(struct allowance **ret_allowance);
void allowance_free(struct allowance *allowance);

/* Takes so many recipients off what the account has; all of them or none. An enum allowance_answer, or -ENOMEM. */
MUST_USE int allowance_take(struct allowance *allowance, uint64_t account, uint64_t recipients, int64_t now,
                            uint64_t per_hour);

/* In how many seconds it could take so many, as far as is known now: 0 is at once, ALLOWANCE_NEVER that an hour holds
 * less. None are taken. */
#define ALLOWANCE_NEVER (-1)
int64_t allowance_wait(const struct allowance *allowance, uint64_t account, uint64_t recipients, int64_t now,
                       uint64_t per_hour);

/* How many it has taken within the hour. */
uint64_t allowance_used(const struct allowance *allowance, uint64_t account, int64_t now);

/* How many it still has, without taking any. */
uint64_t allowance_left(const struct allowance *allowance, uint64_t account, int64_t now, uint64_t per_hour);

SCOPE_OF(allowance)
