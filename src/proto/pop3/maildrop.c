#include "proto/pop3/maildrop.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIRST_ROOM 64U

void pop3_maildrop_deinit(struct pop3_maildrop *maildrop)
{
    free(maildrop->entries);
    *maildrop = (struct pop3_maildrop){0};
}

int pop3_maildrop_add(struct pop3_maildrop *maildrop, uint32_t uid, uint64_t size)
{
    if (maildrop->count == maildrop->room) {
        size_t room = maildrop->room == 0 ? FIRST_ROOM : maildrop->room + maildrop->room / 2;
        struct pop3_entry *more = mem_resize(maildrop->entries, room * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        maildrop->entries = more;
        maildrop->room = room;
    }
    maildrop->entries[maildrop->count++] = (struct pop3_entry){.uid = uid, .size = size & (UINT64_MAX >> 2)};
    maildrop->octets += size;
    return 0;
}

struct pop3_entry *pop3_maildrop_find(const struct pop3_maildrop *maildrop, uint64_t number)
{
    if (number == 0 || number > maildrop->count)
        return NULL;
    struct pop3_entry *entry = &maildrop->entries[number - 1];
    return entry->is_deleted ? NULL : entry;
}

void pop3_maildrop_delete(struct pop3_maildrop *maildrop, struct pop3_entry *entry)
{
    if (entry->is_deleted)
        return;
    entry->is_deleted = true;
    maildrop->deleted++;
    maildrop->octets -= entry->size;
}

void pop3_maildrop_reset(struct pop3_maildrop *maildrop)
{
    for (size_t i = 0; maildrop->deleted > 0 && i < maildrop->count; i++) {
        struct pop3_entry *entry = &maildrop->entries[i];
        if (!entry->is_deleted)
            continue;
        entry->is_deleted = false;
        maildrop->deleted--;
        maildrop->octets += entry->size;
    }
}
