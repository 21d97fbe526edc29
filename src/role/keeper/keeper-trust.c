#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "role/keeper/keeper-state.h"
#include "role/start.h"

#define KEEP_EVERY 60000 /* milliseconds: what a crash makes the throttle forget, at most */

/* The directory has seconds since 1970, the throttle milliseconds of the loop's clock, which starts anew each time. */
struct clocks {
    struct keeper *keeper;
    int64_t now;
    int64_t wall;
};

static struct clocks clocks_of(struct keeper *keeper)
{
    return (struct clocks){keeper, loop_now(keeper->loop), (int64_t)time(NULL)};
}

static int recall(void *arg, uint64_t pair, uint64_t at)
{
    const struct clocks *clocks = arg;
    int64_t age = clocks->wall - (int64_t)at;
    if (age < 0)
        age = 0; /* the clock was set back since */
    return throttle_recall(clocks->keeper->throttle, pair, clocks->now - age * 1000);
}

static int keep(void *arg, uint64_t pair, int64_t last)
{
    const struct clocks *clocks = arg;
    int64_t at = clocks->wall - (clocks->now - last) / 1000;
    return directory_trust_put(clocks->keeper->directory, pair, at < 0 ? 0 : (uint64_t)at);
}

/* Each login is a commit of its own, at most once a day and pair: few, and none is counted as kept that is not. */
static int keep_all(struct keeper *keeper)
{
    struct clocks clocks = clocks_of(keeper);
    int64_t since = clocks.wall - THROTTLE_TRUST / 1000;
    int result = throttle_news(keeper->throttle, keep, &clocks);
    if (result == 0)
        result = directory_trust_trim(keeper->directory, since < 0 ? 0 : (uint64_t)since, THROTTLE_TRUSTED_MAX);
    return result;
}

void keeper_trust_keep(struct keeper *keeper)
{
    if (keeper->directory == NULL)
        return;
    int result = keep_all(keeper);
    if (result < 0)
        log_warn("keeper.trust.unkept", F_FAULT(result)); /* it is tried again */
}

static void on_timer(void *arg)
{
    struct keeper *keeper = arg;
    keeper_trust_keep(keeper);
    timer_start(keeper->trust_timer, KEEP_EVERY);
}

int keeper_trust_begin(struct keeper *keeper)
{
    uint8_t key[DIRECTORY_HASH_KEY_SIZE];
    struct clocks clocks = clocks_of(keeper);
    const struct conf *conf = keeper->start->conf;
    int result = directory_hash_key(keeper->directory, "trust-key", key);
    if (result == DIRECTORY_OK)
        result = throttle_new((uint32_t)conf->auth_failures_before_delay, (int64_t)conf->auth_delay * 1000, key,
                              &keeper->throttle);
    if (result == 0)
        result = directory_trust_each(keeper->directory, recall, &clocks);
    if (result == 0)
        result = timer_new(keeper->loop, on_timer, keeper, &keeper->trust_timer);
    if (result == 0)
        timer_start(keeper->trust_timer, KEEP_EVERY);
    return result;
}
