#include "vault/memory.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION ((size_t)64 << 20U) /* address space; memory only where it is used */
#define BLOCK_MAX 114688U          /* header included */
#define CLASSES 44U                /* four for each doubling, from 64 bytes on */

/* Before each block. Eight bytes, as SQLite wants its blocks aligned to eight. */
struct head {
    uint32_t size;  /* of what the caller has */
    uint32_t class; /* CLASSES: from malloc() */
};

static struct {
    uint8_t *region;
    size_t used;
    size_t live; /* blocks in the region */
    void *free[CLASSES];
} memory;

static size_t marked_used;
static size_t marked_live;

static size_t class_size(unsigned class)
{
    return ((size_t)4 + class % 4) << (4 + class / 4);
}

static unsigned class_of(size_t size)
{
    unsigned class = 0;
    if (size > 64)
        class = (unsigned)(sizeof(long) * 8 - 7 - (unsigned)__builtin_clzl(size - 1)) * 4;
    while (class_size(class) < size)
        class ++;
    return class;
}

static struct head *from_region(unsigned class)
{
    struct head *head = memory.free[class];
    if (head != NULL) {
        memcpy(&memory.free[class], head + 1, sizeof(void *));
    } else {
        size_t size = class_size(class);
        if (memory.region == NULL || REGION - memory.used < size)
            return NULL;
        head = (struct head *)(void *)(memory.region + memory.used);
        memory.used += size;
    }
    memory.live++;
    return head;
}

static void *allocate(int wanted)
{
    size_t size = (size_t)wanted + sizeof(struct head);
    unsigned class = size <= BLOCK_MAX ? class_of(size) : CLASSES;
    struct head *head = class < CLASSES ? from_region(class) : NULL;
    if (head == NULL) {
        class = CLASSES;
        head = malloc(size);
    }
    if (head == NULL)
        return NULL;
    *head = (struct head){(uint32_t)wanted, class};
    return head + 1;
}

static void release(void *block)
{
    if (block == NULL)
        return;
    struct head *head = (struct head *)block - 1;
    if (head->class == CLASSES) {
        free(head);
        return;
    }
    memcpy(block, &memory.free[head->class], sizeof(void *));
    memory.free[head->class] = head;
    memory.live--;
}

static int size_of(void *block)
{
    return block == NULL ? 0 : (int)((struct head *)block - 1)->size;
}

static void *resize(void *block, int wanted)
{
    struct head *head = (struct head *)block - 1;
    size_t size = (size_t)wanted + sizeof(*head);
    if (head->class < CLASSES && size <= class_size(head->class)) {
        head->size = (uint32_t)wanted;
        return block;
    }
    void *other = allocate(wanted);
    if (other == NULL)
        return NULL;
    memcpy(other, block, head->size < (uint32_t)wanted ? head->size : (size_t)wanted);
    release(block);
    return other;
}

static int round_up(int wanted)
{
    return (wanted + 7) & ~7;
}

static int start(void *unused)
{
    (void)unused;
    void *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory.region = region == MAP_FAILED ? NULL : region; /* malloc() serves, then */
    return SQLITE_OK;
}

static void stop(void *unused)
{
    (void)unused;
    if (memory.region != NULL)
        (void)munmap(memory.region, REGION);
    memset(&memory, 0, sizeof(memory));
}

void memory_use(void)
{
    static const sqlite3_mem_methods methods = {.xMalloc = allocate,
                                                .xFree = release,
                                                .xRealloc = resize,
                                                .xSize = size_of,
                                                .xRoundup = round_up,
                                                .xInit = start,
                                                .xShutdown = stop};
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

void memory_mark(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    memory.used = (memory.used + page - 1) / page * page;
    memset(memory.free, 0, sizeof(memory.free));
    marked_used = memory.used;
    marked_live = memory.live;
}

/* Free blocks from before the mark are not worth keeping: none but those of the start were ever there. */
void memory_trim(void)
{
    if (memory.live != marked_live || memory.region == NULL)
        return;
    memset(memory.free, 0, sizeof(memory.free));
    (void)madvise(memory.region + marked_used, memory.used - marked_used, MADV_DONTNEED);
    memory.used = marked_used;
}
