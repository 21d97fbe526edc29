#include "role/keeper/spending.h"

#include <errno.h>

#include "base/mem.h"
#include "role/keeper/allowance.h"

struct spending {
    struct allowance *kinds[SPENDING_KINDS];
};

int spending_new(struct spending **ret_spending)
{
    AUTO(spending) struct spending *spending = mem_new(sizeof(*spending));
    int result = spending == NULL ? -ENOMEM : 0;
    for (size_t kind = 0; kind < SPENDING_KINDS && result == 0; kind++)
        result = allowance_new(&spending->kinds[kind]);
    if (result == 0)
        *ret_spending = TAKE(spending);
    return result;
}

void spending_free(struct spending *spending)
{
    if (spending == NULL)
        return;
    for (size_t kind = 0; kind < SPENDING_KINDS; kind++)
        allowance_free(spending->kinds[kind]);
    scope_free(&spending);
}

struct spending_limits spending_limits_of(const struct spending_limits *own, const struct spending_limits *defaults)
{
    struct spending_limits limits = *own;
    for (size_t kind = 0; kind < SPENDING_KINDS; kind++)
        if (limits.per_hour[kind] == SPENDING_DEFAULT)
            limits.per_hour[kind] = defaults->per_hour[kind];
    return limits;
}

int spending_take(struct spending *spending, uint64_t account, uint64_t recipients, int64_t now,
                  const struct spending_limits *limits, struct spending_refusal *ret_refusal)
{
    static const enum spend_outcome refusals[SPENDING_KINDS] = {SPEND_RECIPIENTS, SPEND_MESSAGES};
    const uint64_t amounts[SPENDING_KINDS] = {recipients, 1};
    int result = 0;
    for (size_t kind = 0; kind < SPENDING_KINDS; kind++) {
        uint64_t per_hour = limits->per_hour[kind];
        int64_t wait = per_hour == 0 ? 0 : allowance_wait(spending->kinds[kind], account, amounts[kind], now, per_hour);
        if (wait == 0)
            continue;
        enum spend_outcome why = wait == ALLOWANCE_NEVER ? SPEND_BEYOND : refusals[kind];
        *ret_refusal = (struct spending_refusal){.why = why, .per_hour = per_hour, .wait = wait > 0 ? wait : 0};
        return (int)why;
    }
    for (size_t kind = 0; kind < SPENDING_KINDS && result >= 0; kind++)
        result = allowance_take(spending->kinds[kind], account, amounts[kind], now, UINT64_MAX);
    return result < 0 ? result : (int)SPEND_OK;
}

uint64_t spending_used(const struct spending *spending, enum spending_kind kind, uint64_t account, int64_t now)
{
    return allowance_used(spending->kinds[kind], account, now);
}
