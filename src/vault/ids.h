#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/* A set of emails, as a list that is put in order when it is asked. */
struct ids {
    uint64_t *at;
    size_t count;
    size_t room;
    size_t sorted; /* of the first so many it is known that they rise */
};

MUST_USE int ids_add(struct ids *ids, uint64_t id);
void ids_sort(struct ids *ids);                               /* and takes out what is there twice */
bool ids_has(const struct ids *ids, uint64_t id);             /* after ids_sort */
void ids_intersect(struct ids *ids, const struct ids *other); /* after ids_sort of both */
void ids_clear(struct ids *ids);                              /* gives its memory back */
