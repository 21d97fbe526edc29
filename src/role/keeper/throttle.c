#include "role/keeper/throttle.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "role/keeper/network.h"

#define FAILURES_MAX 1000U
#define DOUBLINGS_MAX 16U
#define NEVER INT64_MIN

struct entry {
    struct list_link age;
    uint64_t key;
    uint64_t guess; /* the last wrong password, hashed; 0: not known */
    uint32_t failures;
    int64_t last;          /* when the last failure, or success, was */
    int64_t turn;          /* a network's: when its next attempt may be judged */
    int64_t kept;          /* a trusted pair's: which `last` its owner has kept */
    struct list_link news; /* in throttle.news while that is too long ago */
};

/* A map with an order of use and a limit. */
struct table {
    struct map *entries;
    struct list ages;
    size_t max;
};

struct throttle {
    struct table failures;
    struct table trusted; /* apart, so that no flood of failures makes us forget who logged in where */
    struct list news;
    uint32_t free_failures;
    int64_t delay;
    uint8_t key[16];
};

enum subject { SUBJECT_ACCOUNT = 'a', SUBJECT_NETWORK = 'n', SUBJECT_PAIR = 'p' };

static int table_init(struct table *table, size_t max)
{
    list_init(&table->ages);
    table->max = max;
    return map_new(&table->entries);
}

static void table_drop(struct table *table, struct entry *entry)
{
    (void)!map_remove(table->entries, entry->key);
    list_remove(&entry->age);
    list_remove(&entry->news);
    scope_free(&entry);
}

static void table_deinit(struct table *table)
{
    if (table->entries == NULL)
        return;
    struct list_link *link = NULL;
    while ((link = list_first(&table->ages)) != NULL)
        table_drop(table, LIST_ITEM(link, struct entry, age));
    map_free(table->entries);
}

static struct entry *table_get(struct table *table, uint64_t key)
{
    return map_get(table->entries, key);
}

/* Found or made, and the youngest now; NULL without memory. */
static struct entry *table_touch(struct table *table, uint64_t key)
{
    struct entry *entry = map_get(table->entries, key);
    if (entry != NULL) {
        list_remove(&entry->age);
        list_push(&table->ages, &entry->age);
        return entry;
    }
    if (map_count(table->entries) >= table->max)
        table_drop(table, LIST_ITEM(list_first(&table->ages), struct entry, age));
    AUTO_FREE struct entry *made = mem_new(sizeof(*made));
    if (made == NULL || map_put(table->entries, key, made) != 0)
        return NULL;
    made->key = key;
    made->kept = NEVER;
    list_push(&table->ages, &made->age);
    return TAKE(made);
}

int throttle_new(uint32_t failures, int64_t delay, const uint8_t key[16], struct throttle **ret_throttle)
{
    AUTO(throttle) struct throttle *throttle = mem_new(sizeof(*throttle));
    if (throttle == NULL)
        return -ENOMEM;
    throttle->free_failures = failures;
    throttle->delay = delay;
    memcpy(throttle->key, key, sizeof(throttle->key));
    list_init(&throttle->news);
    int result = table_init(&throttle->failures, THROTTLE_ENTRIES_MAX);
    if (result == 0)
        result = table_init(&throttle->trusted, THROTTLE_TRUSTED_MAX);
    if (result == 0)
        *ret_throttle = TAKE(throttle);
    return result;
}

void throttle_free(struct throttle *throttle)
{
    if (throttle == NULL)
        return;
    table_deinit(&throttle->failures);
    table_deinit(&throttle->trusted);
    scope_free(&throttle);
}

struct subjects {
    uint64_t account;
    uint64_t network;
    uint64_t pair;
};

static uint64_t subject_key(const struct throttle *throttle, enum subject kind, uint64_t one, uint64_t other)
{
    uint8_t bytes[17];
    bytes[0] = (uint8_t)kind;
    bytes_put_u64(bytes + 1, one);
    bytes_put_u64(bytes + 9, other);
    return hash_keyed(throttle->key, span_of(bytes, sizeof(bytes)));
}

static struct subjects subjects_of(const struct throttle *throttle, span_t user, span_t client)
{
    uint8_t network[NETWORK_SIZE];
    network_of(client, network);
    uint64_t one = hash_keyed(throttle->key, user);
    uint64_t other = hash_keyed(throttle->key, span_of(network, sizeof(network)));
    return (struct subjects){
        .account = subject_key(throttle, SUBJECT_ACCOUNT, one, 0),
        .network = subject_key(throttle, SUBJECT_NETWORK, 0, other),
        .pair = subject_key(throttle, SUBJECT_PAIR, one, other),
    };
}

static uint32_t failures_now(const struct entry *entry, int64_t now)
{
    int64_t halvings = (now - entry->last) / THROTTLE_HALF_LIFE;
    return halvings > 20 ? 0 : entry->failures >> halvings;
}

static int64_t delay_of(const struct throttle *throttle, const struct entry *entry, int64_t now)
{
    if (entry == NULL)
        return 0;
    uint32_t failures = failures_now(entry, now);
    if (failures < throttle->free_failures)
        return 0;
    uint32_t doublings = failures - throttle->free_failures;
    if (doublings > DOUBLINGS_MAX)
        doublings = DOUBLINGS_MAX;
    int64_t delay = throttle->delay << doublings;
    return delay > THROTTLE_DELAY_MAX ? THROTTLE_DELAY_MAX : delay;
}

static bool is_trusted(struct throttle *throttle, uint64_t pair, int64_t now)
{
    const struct entry *entry = table_get(&throttle->trusted, pair);
    return entry != NULL && now - entry->last < THROTTLE_TRUST;
}

/* The attempts of one subject are judged one after the other, each with its own delay. */
static int take_turn(const struct throttle *throttle, struct entry *entry, int64_t now, int64_t *wait)
{
    int64_t delay = delay_of(throttle, entry, now);
    if (delay == 0)
        return THROTTLE_GO;
    int64_t start = (entry->turn > now ? entry->turn : now) + delay;
    if (start - now > THROTTLE_QUEUE_MAX)
        return THROTTLE_REFUSE;
    entry->turn = start;
    if (start - now > *wait)
        *wait = start - now;
    return THROTTLE_GO;
}

int throttle_ask(struct throttle *throttle, int64_t now, span_t user, span_t client, int64_t *ret_wait)
{
    struct subjects subjects = subjects_of(throttle, user, client);
    *ret_wait = 0;
    if (is_trusted(throttle, subjects.pair, now))
        return take_turn(throttle, table_get(&throttle->failures, subjects.pair), now, ret_wait);
    *ret_wait = delay_of(throttle, table_get(&throttle->failures, subjects.account), now);
    return take_turn(throttle, table_get(&throttle->failures, subjects.network), now, ret_wait);
}

static int count_failure(struct throttle *throttle, uint64_t key, int64_t now)
{
    struct entry *entry = table_touch(&throttle->failures, key);
    if (entry == NULL)
        return -ENOMEM;
    uint32_t failures = failures_now(entry, now);
    entry->failures = failures < FAILURES_MAX ? failures + 1 : failures;
    entry->last = now;
    return 0;
}

static int count_guess(struct throttle *throttle, uint64_t key, int64_t now, span_t guess)
{
    struct entry *entry = table_touch(&throttle->failures, key);
    if (entry == NULL)
        return -ENOMEM;
    uint64_t hash = guess.len == 0 ? 0 : hash_keyed(throttle->key, guess);
    if (hash != 0 && hash == entry->guess)
        return 0;
    entry->guess = hash;
    return count_failure(throttle, key, now);
}

int throttle_tell(struct throttle *throttle, int64_t now, span_t user, span_t client, span_t guess,
                  enum throttle_event event)
{
    struct subjects subjects = subjects_of(throttle, user, client);
    if (event == THROTTLE_SUCCEEDED) {
        struct entry *entry = table_touch(&throttle->trusted, subjects.pair);
        if (entry == NULL)
            return -ENOMEM;
        entry->last = now;
        if (entry->kept == NEVER || now - entry->kept >= THROTTLE_NEWS_EVERY) {
            list_remove(&entry->news);
            list_push(&throttle->news, &entry->news);
        }
        struct entry *pair = table_get(&throttle->failures, subjects.pair);
        if (pair != NULL)
            table_drop(&throttle->failures, pair);
        return 0;
    }
    if (is_trusted(throttle, subjects.pair, now))
        return count_guess(throttle, subjects.pair, now, guess);
    int result = count_failure(throttle, subjects.account, now);
    return result == 0 ? count_failure(throttle, subjects.network, now) : result;
}

int throttle_recall(struct throttle *throttle, uint64_t pair, int64_t last)
{
    struct entry *entry = table_touch(&throttle->trusted, pair);
    if (entry == NULL)
        return -ENOMEM;
    entry->last = last;
    entry->kept = last;
    return 0;
}

int throttle_news(struct throttle *throttle, throttle_news_function *function, void *arg)
{
    struct list_link *link = NULL;
    while ((link = list_first(&throttle->news)) != NULL) {
        struct entry *entry = LIST_ITEM(link, struct entry, news);
        int result = function(arg, entry->key, entry->last);
        if (result != 0)
            return result;
        entry->kept = entry->last;
        list_remove(link);
    }
    return 0;
}
