#pragma once

#include "base/scope.h"
#include "base/span.h"

/*
 * Memory that is freed all at once: one arena per message, per command, per session. It never grows beyond its
 * maximum. What it gives out is zeroed, aligned for any type, and lives until arena_reset or arena_free.
 */
struct arena;

MUST_USE int arena_new(size_t max, struct arena **ret_arena);
void arena_free(struct arena *arena);
void arena_reset(struct arena *arena); /* keeps the first block for reuse */
size_t arena_used(const struct arena *arena);

MUST_USE void *arena_alloc(struct arena *arena, size_t size);
MUST_USE void *arena_alloc_array(struct arena *arena, size_t count, size_t size);
MUST_USE int arena_copy(struct arena *arena, span_t bytes, span_t *ret_copy);
MUST_USE char *arena_text(struct arena *arena, span_t bytes); /* a copy with a NUL at its end */

SCOPE_OF(arena)
