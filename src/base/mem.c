#include "base/mem.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define GROW_FIRST 16U

static uint64_t allowed = UINT64_MAX;

void mem_fail_after(uint64_t nth)
{
    allowed = nth == 0 ? UINT64_MAX : nth - 1;
}

static int may_allocate(void)
{
    if (allowed == UINT64_MAX)
        return 1;
    if (allowed == 0)
        return 0;
    allowed--;
    return 1;
}

void *mem_new(size_t size)
{
    return may_allocate() ? calloc(1, size) : NULL;
}

void *mem_new_array(size_t count, size_t size)
{
    return may_allocate() ? calloc(count, size) : NULL;
}

void *mem_resize(void *block, size_t size)
{
    return may_allocate() ? realloc(block, size) : NULL;
}

char *mem_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_new(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

void *mem_grow(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    if (*room > SIZE_MAX / 2 / size)
        return NULL;
    size_t more = *room == 0 ? GROW_FIRST : 2 * *room;
    void *moved = mem_resize(array, more * size);
    if (moved != NULL)
        *room = more;
    return moved;
}

#define BLOCK_MAX (32 << 20) /* a larger block comes from the kernel each time: malloc takes no more here */

void mem_keep(size_t size)
{
    (void)mallopt(M_MMAP_THRESHOLD, BLOCK_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, size > INT_MAX ? INT_MAX : (int)size);
}

void mem_give_back(void)
{
    (void)malloc_trim(0);
}
