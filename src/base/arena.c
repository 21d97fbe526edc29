#include "base/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ARENA_BLOCK_SIZE 4000U

struct block {
    struct block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) uint8_t bytes[];
};

struct arena {
    struct block *blocks; /* newest first */
    size_t used;
    size_t max;
};

int arena_new(size_t max, struct arena **ret_arena)
{
    struct arena *arena = mem_new(sizeof(*arena));
    if (arena == NULL)
        return -ENOMEM;
    arena->max = max;
    *ret_arena = arena;
    return 0;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena->blocks);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    struct block *keep = arena->blocks;
    if (keep != NULL) {
        free_blocks(keep->next);
        keep->next = NULL;
        memset(keep->bytes, 0, keep->used);
        keep->used = 0;
        if (keep->size > ARENA_BLOCK_SIZE) {
            free(keep);
            arena->blocks = NULL;
        }
    }
    arena->used = 0;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

static struct block *add_block(struct arena *arena, size_t size)
{
    size_t room = size > ARENA_BLOCK_SIZE ? size : ARENA_BLOCK_SIZE;
    struct block *block = mem_new(sizeof(*block) + room);
    if (block == NULL)
        return NULL;
    block->size = room;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (rounded < size || arena->used > arena->max || rounded > arena->max - arena->used)
        return NULL;
    struct block *block = arena->blocks;
    if (block == NULL || block->size - block->used < rounded)
        block = add_block(arena, rounded);
    if (block == NULL)
        return NULL;
    void *at = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded;
    return at;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(arena, total);
}

int arena_copy(struct arena *arena, span_t bytes, span_t *ret_copy)
{
    uint8_t *copy = arena_alloc(arena, bytes.len == 0 ? 1 : bytes.len);
    if (copy == NULL)
        return -ENOMEM;
    if (bytes.len > 0)
        memcpy(copy, bytes.at, bytes.len);
    *ret_copy = span_of(copy, bytes.len);
    return 0;
}

char *arena_text(struct arena *arena, span_t bytes)
{
    if (bytes.len == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(arena, bytes.len + 1);
    if (copy != NULL && bytes.len > 0)
        memcpy(copy, bytes.at, bytes.len);
    return copy;
}
