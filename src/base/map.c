#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define MAP_ROOM_MIN 16U

/* Open addressing, linear probing; room is a power of two; GONE marks a removed entry that a probe walks past. */
struct slot {
    uint64_t key;
    void *value;
};

struct map {
    struct slot *slots;
    size_t room;
    size_t count;
    size_t used; /* count and the gone ones */
};

static char gone_mark;
#define GONE ((void *)&gone_mark)

int map_new(struct map **ret_map)
{
    struct map *map = mem_new(sizeof(*map));
    if (map == NULL)
        return -ENOMEM;
    *ret_map = map;
    return 0;
}

void map_free(struct map *map)
{
    if (map == NULL)
        return;
    free(map->slots);
    free(map);
}

static size_t first_slot(const struct map *map, uint64_t key)
{
    uint64_t spread = key * 0x9e3779b97f4a7c15U;
    return (size_t)(spread ^ spread >> 32) & (map->room - 1);
}

static struct slot *find(const struct map *map, uint64_t key)
{
    if (map->room == 0)
        return NULL;
    for (size_t i = first_slot(map, key); map->slots[i].value != NULL; i = (i + 1) & (map->room - 1)) {
        if (map->slots[i].value != GONE && map->slots[i].key == key)
            return &map->slots[i];
    }
    return NULL;
}

static void place(struct map *map, uint64_t key, void *value)
{
    size_t i = first_slot(map, key);
    while (map->slots[i].value != NULL)
        i = (i + 1) & (map->room - 1);
    map->slots[i] = (struct slot){key, value};
    map->used++;
}

static int rebuild(struct map *map)
{
    size_t room = map->room == 0 ? MAP_ROOM_MIN : map->count * 2 >= map->room ? map->room * 2 : map->room;
    struct slot *slots = mem_new_array(room, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    AUTO_FREE struct slot *old = map->slots;
    size_t old_room = map->room;
    map->slots = slots;
    map->room = room;
    map->used = 0;
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].value != NULL && old[i].value != GONE)
            place(map, old[i].key, old[i].value);
    }
    return 0;
}

int map_put(struct map *map, uint64_t key, void *value)
{
    struct slot *slot = find(map, key);
    if (slot != NULL) {
        slot->value = value;
        return 0;
    }
    if ((map->used + 1) * 4 > map->room * 3) {
        int result = rebuild(map);
        if (result < 0)
            return result;
    }
    place(map, key, value);
    map->count++;
    return 0;
}

void *map_get(const struct map *map, uint64_t key)
{
    const struct slot *slot = find(map, key);
    return slot == NULL ? NULL : slot->value;
}

void *map_remove(struct map *map, uint64_t key)
{
    struct slot *slot = find(map, key);
    if (slot == NULL)
        return NULL;
    void *value = slot->value;
    slot->value = GONE;
    map->count--;
    return value;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

bool map_next(const struct map *map, size_t *cursor, uint64_t *ret_key, void **ret_value)
{
    for (; *cursor < map->room; (*cursor)++) {
        const struct slot *slot = &map->slots[*cursor];
        if (slot->value != NULL && slot->value != GONE) {
            *ret_key = slot->key;
            *ret_value = slot->value;
            (*cursor)++;
            return true;
        }
    }
    return false;
}
