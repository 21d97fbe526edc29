#pragma once

#include "base/scope.h"
#include "base/span.h"

/* A hash table from 64-bit keys to pointers, which it does not own. Strings: map hash_keyed() of them and compare. */
struct map;

MUST_USE int map_new(struct map **ret_map);
void map_free(struct map *map);
MUST_USE int map_put(struct map *map, uint64_t key, void *value); /* replaces; value must not be NULL */
void *map_get(const struct map *map, uint64_t key);               /* or NULL */
void *map_remove(struct map *map, uint64_t key);                  /* what stood there, or NULL */
size_t map_count(const struct map *map);

/* Walks all entries in no order: start with *cursor = 0. The map must not change but by removing the entry at hand. */
bool map_next(const struct map *map, size_t *cursor, uint64_t *ret_key, void **ret_value);

SCOPE_OF(map)
