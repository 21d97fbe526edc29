#include "role/courier/due.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static void place(struct schedule *schedule, size_t at, struct due *due)
{
    schedule->heap[at - 1] = due;
    due->place = at;
}

static void rise(struct schedule *schedule, struct due *due)
{
    size_t at = due->place;
    while (at > 1 && schedule->heap[at / 2 - 1]->at > due->at) {
        place(schedule, at, schedule->heap[at / 2 - 1]);
        at /= 2;
    }
    place(schedule, at, due);
}

static void sink(struct schedule *schedule, struct due *due)
{
    size_t at = due->place;
    for (;;) {
        size_t below = 2 * at;
        if (below > schedule->count)
            break;
        if (below < schedule->count && schedule->heap[below]->at < schedule->heap[below - 1]->at)
            below++;
        if (schedule->heap[below - 1]->at >= due->at)
            break;
        place(schedule, at, schedule->heap[below - 1]);
        at = below;
    }
    place(schedule, at, due);
}

static int make_room(struct schedule *schedule)
{
    if (schedule->count < schedule->room)
        return 0;
    size_t room = schedule->room == 0 ? 256 : 2 * schedule->room;
    struct due **heap = mem_resize(schedule->heap, room * sizeof(struct due *));
    if (heap == NULL)
        return -ENOMEM;
    schedule->heap = heap;
    schedule->room = room;
    return 0;
}

int schedule_put(struct schedule *schedule, struct due *due, int64_t at)
{
    if (due->place == 0) {
        int result = make_room(schedule);
        if (result < 0)
            return result;
        place(schedule, ++schedule->count, due);
    }
    due->at = at;
    rise(schedule, due);
    sink(schedule, due);
    return 0;
}

void schedule_remove(struct schedule *schedule, struct due *due)
{
    if (due->place == 0)
        return;
    struct due *last = schedule->heap[--schedule->count];
    if (last != due) {
        place(schedule, due->place, last);
        rise(schedule, last);
        sink(schedule, last);
    }
    due->place = 0;
}

struct due *schedule_first(const struct schedule *schedule)
{
    return schedule->count > 0 ? schedule->heap[0] : NULL;
}

void schedule_free(struct schedule *schedule)
{
    free(schedule->heap);
    *schedule = (struct schedule){0};
}
