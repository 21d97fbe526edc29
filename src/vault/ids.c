#include "vault/ids.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

int ids_add(struct ids *ids, uint64_t id)
{
    uint64_t *more = mem_grow(ids->at, ids->count, &ids->room, sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    ids->at = more;
    bool rises = ids->count == 0 || ids->at[ids->count - 1] < id;
    if (rises && ids->sorted == ids->count)
        ids->sorted++;
    ids->at[ids->count++] = id;
    return 0;
}

static int compare(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one;
    uint64_t right = *(const uint64_t *)other;
    return left < right ? -1 : left > right;
}

void ids_sort(struct ids *ids)
{
    if (ids->sorted == ids->count)
        return;
    qsort(ids->at, ids->count, sizeof(*ids->at), compare);
    size_t kept = 1;
    for (size_t i = 1; i < ids->count; i++)
        if (ids->at[i] != ids->at[kept - 1])
            ids->at[kept++] = ids->at[i];
    ids->count = kept;
    ids->sorted = kept;
}

bool ids_has(const struct ids *ids, uint64_t id)
{
    return ids->count > 0 && bsearch(&id, ids->at, ids->count, sizeof(id), compare) != NULL;
}

void ids_clear(struct ids *ids)
{
    free(ids->at);
    *ids = (struct ids){0};
}

void ids_intersect(struct ids *ids, const struct ids *other)
{
    size_t kept = 0;
    size_t at = 0;
    for (size_t i = 0; i < ids->count; i++) {
        while (at < other->count && other->at[at] < ids->at[i])
            at++;
        if (at < other->count && other->at[at] == ids->at[i])
            ids->at[kept++] = ids->at[i];
    }
    ids->count = kept;
    ids->sorted = kept;
}
