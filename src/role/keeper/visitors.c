#include "role/keeper/visitors.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "role/keeper/allowance.h"
#include "role/keeper/network.h"

struct acquaintance {
    struct list_link age; /* seen longest ago first */
    uint64_t network;
    int64_t last;
};

struct visitors {
    struct allowance *used;
    struct map *known;
    struct list ages;
    uint8_t key[16];
};

/* What is counted: each has an hour's allowance of its own. */
enum count {
    COUNT_CONNECTIONS = 'c',
    COUNT_MESSAGES = 'm',
    COUNT_SENDER = 's',
    COUNT_RECIPIENTS = 'r',
    COUNT_UNKNOWN = 'u'
};

int visitors_new(const uint8_t key[16], struct visitors **ret_visitors)
{
    AUTO(visitors) struct visitors *visitors = mem_new(sizeof(*visitors));
    if (visitors == NULL)
        return -ENOMEM;
    list_init(&visitors->ages);
    memcpy(visitors->key, key, sizeof(visitors->key));
    int result = map_new(&visitors->known);
    if (result == 0)
        result = allowance_new(&visitors->used);
    if (result == 0)
        *ret_visitors = TAKE(visitors);
    return result;
}

static struct acquaintance *oldest(const struct visitors *visitors)
{
    struct list_link *link = list_first(&visitors->ages);
    return link == NULL ? NULL : LIST_ITEM(link, struct acquaintance, age);
}

static void drop(struct visitors *visitors, struct acquaintance *acquaintance)
{
    (void)!map_remove(visitors->known, acquaintance->network);
    list_remove(&acquaintance->age);
    scope_free(&acquaintance);
}

void visitors_free(struct visitors *visitors)
{
    if (visitors == NULL)
        return;
    for (struct acquaintance *one = oldest(visitors); one != NULL; one = oldest(visitors))
        drop(visitors, one);
    map_free(visitors->known);
    allowance_free(visitors->used);
    scope_free(&visitors);
}

static uint64_t network_key(const struct visitors *visitors, span_t client)
{
    uint8_t network[NETWORK_SIZE];
    network_of(client, network);
    return hash_keyed(visitors->key, span_of(network, sizeof(network)));
}

static uint64_t count_key(const struct visitors *visitors, enum count what, uint64_t network, span_t sender)
{
    uint8_t bytes[17];
    bytes[0] = (uint8_t)what;
    bytes_put_u64(bytes + 1, network);
    bytes_put_u64(bytes + 9, hash_keyed(visitors->key, sender));
    return hash_keyed(visitors->key, span_of(bytes, sizeof(bytes)));
}

/* --- who is known --- */

static void see(struct visitors *visitors, struct acquaintance *acquaintance, int64_t now)
{
    list_remove(&acquaintance->age);
    list_push(&visitors->ages, &acquaintance->age);
    acquaintance->last = now;
}

static bool knows(struct visitors *visitors, uint64_t network, int64_t now)
{
    struct acquaintance *one = map_get(visitors->known, network);
    if (one == NULL)
        return false;
    if (now - one->last > VISITORS_MEMORY) {
        drop(visitors, one);
        return false;
    }
    see(visitors, one, now);
    return true;
}

int visitors_vouch(struct visitors *visitors, int64_t now, span_t client)
{
    const uint64_t network = network_key(visitors, client);
    if (knows(visitors, network, now))
        return 0;
    if (map_count(visitors->known) >= VISITORS_KNOWN_MAX)
        drop(visitors, oldest(visitors));
    AUTO_FREE struct acquaintance *made = mem_new(sizeof(*made));
    int result = made == NULL ? -ENOMEM : map_put(visitors->known, network, made);
    if (result != 0)
        return result;
    *made = (struct acquaintance){.network = network};
    see(visitors, TAKE(made), now);
    return 0;
}

/* --- how much --- */

struct taking {
    enum count what;
    uint64_t network;
    span_t sender;
    uint64_t per_hour;
};

static int take(struct visitors *visitors, int64_t now, const struct taking *taking)
{
    if (taking->per_hour == 0)
        return VISITOR_GO;
    const uint64_t key = count_key(visitors, taking->what, taking->network, taking->sender);
    int result = allowance_take(visitors->used, key, 1, now, taking->per_hour);
    return result < 0 ? result : result == ALLOWANCE_GRANTED ? (int)VISITOR_GO : (int)VISITOR_WAIT;
}

int visitors_connect(struct visitors *visitors, int64_t now, const struct visitor_rates *rates, span_t client,
                     bool *ret_known)
{
    const uint64_t network = network_key(visitors, client);
    const struct taking connection = {COUNT_CONNECTIONS, network, SPAN_NONE, rates->connections};
    *ret_known = knows(visitors, network, now);
    return take(visitors, now, &connection);
}

/* One that has asked for too many who do not exist is told nothing of those who do. */
static bool has_guessed_enough(struct visitors *visitors, int64_t now, uint64_t network, uint64_t per_hour)
{
    const uint64_t key = count_key(visitors, COUNT_UNKNOWN, network, SPAN_NONE);
    return per_hour > 0 && allowance_left(visitors->used, key, now, per_hour) == 0;
}

int visitors_recipient(struct visitors *visitors, int64_t now, const struct visitor_rates *rates,
                       const struct visitor_recipient *recipient)
{
    const uint64_t network = network_key(visitors, recipient->client);
    const struct taking takings[] = {
        /* the narrower first: what it refuses is not spent on the wider */
        {COUNT_SENDER, network, recipient->sender, recipient->is_first ? rates->sender_messages : 0},
        {COUNT_MESSAGES, network, SPAN_NONE, recipient->is_first ? rates->messages : 0},
        {COUNT_UNKNOWN, network, SPAN_NONE, recipient->is_unknown ? rates->unknown : 0},
        {COUNT_RECIPIENTS, network, SPAN_NONE, rates->recipients},
    };
    int result = has_guessed_enough(visitors, now, network, rates->unknown) ? (int)VISITOR_WAIT : (int)VISITOR_GO;
    for (size_t at = 0; at < COUNT_OF(takings) && result == VISITOR_GO; at++)
        result = take(visitors, now, &takings[at]);
    return result;
}
