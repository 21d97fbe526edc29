#include "role/keeper/allowance.h"

#include <errno.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#define STEP_SECONDS (3600 / (int64_t)ALLOWANCE_STEPS)

struct account {
    struct list_link age; /* used longest ago first */
    uint64_t id;
    int64_t step;                     /* of its last use: seconds since 1970, by STEP_SECONDS */
    uint64_t counts[ALLOWANCE_STEPS]; /* by step, modulo */
};

struct allowance {
    struct map *accounts;
    struct list ages;
};

int allowance_new(struct allowance **ret_allowance)
{
    AUTO(allowance) struct allowance *allowance = mem_new(sizeof(*allowance));
    if (allowance == NULL)
        return -ENOMEM;
    list_init(&allowance->ages);
    int result = map_new(&allowance->accounts);
    if (result == 0)
        *ret_allowance = TAKE(allowance);
    return result;
}

static struct account *oldest(const struct allowance *allowance)
{
    struct list_link *link = list_first(&allowance->ages);
    return link == NULL ? NULL : LIST_ITEM(link, struct account, age);
}

static void drop(struct allowance *allowance, struct account *account)
{
    (void)!map_remove(allowance->accounts, account->id);
    list_remove(&account->age);
    scope_free(&account);
}

void allowance_free(struct allowance *allowance)
{
    if (allowance == NULL)
        return;
    for (struct account *account = oldest(allowance); account != NULL; account = oldest(allowance))
        drop(allowance, account);
    map_free(allowance->accounts);
    scope_free(&allowance);
}

/* Those of whom nothing counts any more are forgotten first. */
static void forget(struct allowance *allowance, int64_t step)
{
    for (struct account *account = oldest(allowance); account != NULL; account = oldest(allowance)) {
        if (step - account->step < (int64_t)ALLOWANCE_STEPS)
            return;
        drop(allowance, account);
    }
}

static int add(struct allowance *allowance, uint64_t id, int64_t step, struct account **ret_account)
{
    *ret_account = NULL;
    if (map_count(allowance->accounts) >= ALLOWANCE_ACCOUNTS_MAX)
        return 0;
    struct account *account = mem_new(sizeof(*account));
    if (account == NULL)
        return -ENOMEM;
    *account = (struct account){.id = id, .step = step};
    int result = map_put(allowance->accounts, id, account);
    if (result != 0) {
        scope_free(&account);
        return result;
    }
    list_push(&allowance->ages, &account->age);
    *ret_account = account;
    return 0;
}

/* Empties the steps that have passed since the account's last use. */
static void advance(struct account *account, int64_t step)
{
    for (int64_t at = account->step + 1; at <= step; at++)
        account->counts[(uint64_t)at % ALLOWANCE_STEPS] = 0;
    account->step = step > account->step ? step : account->step;
}

static uint64_t used(const struct account *account)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < ALLOWANCE_STEPS; at++)
        sum += account->counts[at];
    return sum;
}

int allowance_take(struct allowance *allowance, uint64_t account_id, uint64_t recipients, int64_t now,
                   uint64_t per_hour)
{
    int64_t step = now / STEP_SECONDS;
    forget(allowance, step);
    struct account *account = map_get(allowance->accounts, account_id);
    int result = account == NULL ? add(allowance, account_id, step, &account) : 0;
    if (result != 0 || account == NULL)
        return result;
    advance(account, step);
    list_remove(&account->age);
    list_push(&allowance->ages, &account->age);
    uint64_t sum = used(account);
    if (recipients > per_hour || sum > per_hour - recipients)
        return ALLOWANCE_USED_UP;
    account->counts[(uint64_t)account->step % ALLOWANCE_STEPS] += recipients;
    return ALLOWANCE_GRANTED;
}

int64_t allowance_wait(const struct allowance *allowance, uint64_t account_id, uint64_t recipients, int64_t now,
                       uint64_t per_hour)
{
    const struct account *account = map_get(allowance->accounts, account_id);
    if (recipients > per_hour)
        return ALLOWANCE_NEVER;
    if (account == NULL)
        return 0;
    struct account then = *account;
    advance(&then, now / STEP_SECONDS);
    if (used(&then) <= per_hour - recipients)
        return 0;
    while (used(&then) > per_hour - recipients)
        advance(&then, then.step + 1);
    return then.step * STEP_SECONDS - now;
}

uint64_t allowance_used(const struct allowance *allowance, uint64_t account_id, int64_t now)
{
    const struct account *account = map_get(allowance->accounts, account_id);
    if (account == NULL)
        return 0;
    struct account then = *account;
    advance(&then, now / STEP_SECONDS);
    return used(&then);
}

uint64_t allowance_left(const struct allowance *allowance, uint64_t account, int64_t now, uint64_t per_hour)
{
    const uint64_t sum = allowance_used(allowance, account, now);
    return sum < per_hour ? per_hour - sum : 0;
}
