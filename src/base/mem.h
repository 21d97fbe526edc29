#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/*
 * Heap memory. Every allocation of ours goes through here, so that tests can make any one of them fail.
 * All return NULL when there is none; free with free() or AUTO_FREE.
 */
MUST_USE void *mem_new(size_t size);                     /* zeroed */
MUST_USE void *mem_new_array(size_t count, size_t size); /* zeroed; NULL on overflow of count * size */
MUST_USE void *mem_resize(void *block, size_t size);     /* the added part is not zeroed */
MUST_USE char *mem_copy_text(const char *text);

/*
 * An array of count elements, with room for one more: itself where *room says that it has some, else moved to twice the
 * room, which *room is then. NULL: there is no memory, and it is as it was. Empty, it is NULL with no room.
 */
MUST_USE void *mem_grow(void *array, size_t count, size_t *room, size_t size);

/* Makes the nth allocation from now fail (1 is the next), and every one after it too; 0 switches that off. */
void mem_fail_after(uint64_t nth);

/* Freed blocks stay with the process, up to so much, for the next ones: having the kernel take them back and give them
 * out again costs more than filling them. A process that rests gives them back. */
void mem_keep(size_t size);
void mem_give_back(void);
