#include "role/keeper/greylist.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct entry {
    struct list_link age; /* touched longest ago first */
    uint64_t hash;
    int64_t first;
    int64_t last;
    bool has_passed;
};

struct greylist {
    struct map *entries;
    struct list ages;
    uint8_t key[16];
};

int greylist_new(const uint8_t key[16], struct greylist **ret_greylist)
{
    AUTO(greylist) struct greylist *greylist = mem_new(sizeof(*greylist));
    if (greylist == NULL)
        return -ENOMEM;
    list_init(&greylist->ages);
    memcpy(greylist->key, key, sizeof(greylist->key));
    int result = map_new(&greylist->entries);
    if (result == 0)
        *ret_greylist = TAKE(greylist);
    return result;
}

static void drop(struct greylist *greylist, struct entry *entry)
{
    (void)!map_remove(greylist->entries, entry->hash);
    list_remove(&entry->age);
    scope_free(&entry);
}

static struct entry *oldest(const struct greylist *greylist)
{
    struct list_link *link = list_first(&greylist->ages);
    return link == NULL ? NULL : LIST_ITEM(link, struct entry, age);
}

void greylist_free(struct greylist *greylist)
{
    if (greylist == NULL)
        return;
    for (struct entry *entry = oldest(greylist); entry != NULL; entry = oldest(greylist))
        drop(greylist, entry);
    map_free(greylist->entries);
    scope_free(&greylist);
}

static int add(struct greylist *greylist, uint64_t hash, int64_t now)
{
    if (map_count(greylist->entries) >= GREYLIST_MAX)
        drop(greylist, oldest(greylist));
    struct entry *entry = mem_new(sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct entry){.hash = hash, .first = now, .last = now};
    int result = map_put(greylist->entries, hash, entry);
    if (result != 0) {
        scope_free(&entry);
        return result;
    }
    list_push(&greylist->ages, &entry->age);
    return GREYLIST_WAIT;
}

static bool is_over(const struct entry *entry, int64_t now)
{
    return now - entry->last > (entry->has_passed ? GREYLIST_MEMORY : GREYLIST_PATIENCE);
}

int greylist_ask(struct greylist *greylist, span_t triple, int64_t now, int64_t delay)
{
    uint64_t hash = hash_keyed(greylist->key, triple);
    struct entry *entry = map_get(greylist->entries, hash);
    if (entry != NULL && is_over(entry, now)) {
        drop(greylist, entry);
        entry = NULL;
    }
    if (entry == NULL)
        return add(greylist, hash, now);
    list_remove(&entry->age);
    list_push(&greylist->ages, &entry->age);
    entry->last = now;
    entry->has_passed = entry->has_passed || now - entry->first >= delay;
    return entry->has_passed ? GREYLIST_PASS : GREYLIST_WAIT;
}
