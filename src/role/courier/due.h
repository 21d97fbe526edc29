#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/*
 * What is to happen when: a heap of things that stand inside others. Times are seconds since 1970, as what courier
 * waits for outlives it.
 */
enum due_kind { DUE_ENTRY, DUE_LEG, DUE_DESTINATION };

struct due {
    int64_t at;
    size_t place; /* in the heap, from 1; 0: it stands in none */
    enum due_kind kind;
};

struct schedule {
    struct due **heap;
    size_t count;
    size_t room;
};

/* Also moves one that is there already. -ENOMEM. */
MUST_USE int schedule_put(struct schedule *schedule, struct due *due, int64_t at);
void schedule_remove(struct schedule *schedule, struct due *due); /* harmless when it is not there */
struct due *schedule_first(const struct schedule *schedule);      /* or NULL */
void schedule_free(struct schedule *schedule);
