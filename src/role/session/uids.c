#include "role/session/uids.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/scope.h"

void uids_init(struct uids *uids)
{
    *uids = (struct uids){0};
}

void uids_deinit(struct uids *uids)
{
    free(uids->runs);
    uids_init(uids);
}

/* Places of the run: up to where the next one begins. */
static size_t end_of(const struct uids *uids, size_t run)
{
    return run + 1 < uids->run_count ? uids->runs[run + 1].place : uids->count;
}

uint32_t uids_at(const struct uids *uids, size_t place)
{
    size_t low = 0; /* the last run that begins at or before the place */
    size_t high = uids->run_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (uids->runs[middle].place <= place)
            low = middle;
        else
            high = middle;
    }
    return uids->runs[low].uid + (uint32_t)(place - uids->runs[low].place);
}

size_t uids_find(const struct uids *uids, uint32_t uid)
{
    size_t low = 0; /* runs that begin at or before the UID */
    size_t high = uids->run_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (uids->runs[middle].uid <= uid)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    size_t within = uids->runs[low - 1].place + (size_t)(uid - uids->runs[low - 1].uid);
    size_t end = end_of(uids, low - 1);
    return within < end ? within : end;
}

static int add_run(struct uids *uids, uint32_t uid)
{
    if (uids->run_count == uids->run_room) {
        size_t room = uids->run_room == 0 ? 4 : uids->run_room + uids->run_room / 2;
        struct uid_run *more = mem_resize(uids->runs, room * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        uids->runs = more;
        uids->run_room = room;
    }
    uids->runs[uids->run_count++] = (struct uid_run){uid, (uint32_t)uids->count};
    return 0;
}

int uids_append_run(struct uids *uids, uint32_t first, size_t count)
{
    const struct uid_run *last = uids->run_count > 0 ? &uids->runs[uids->run_count - 1] : NULL;
    bool goes_on = last != NULL && last->uid + (uids->count - last->place) == first;
    int result = goes_on || count == 0 ? 0 : add_run(uids, first);
    if (result == 0)
        uids->count += count;
    return result;
}

int uids_append(struct uids *uids, uint32_t uid)
{
    return uids_append_run(uids, uid, 1);
}

int uids_remove(struct uids *uids, const uint32_t *gone, size_t count)
{
    struct uids kept = {0};
    size_t next = 0;
    int result = 0;
    for (size_t run = 0; result == 0 && run < uids->run_count; run++) {
        uint32_t uid = uids->runs[run].uid;
        size_t left = end_of(uids, run) - uids->runs[run].place;
        while (result == 0 && left > 0) {
            while (next < count && gone[next] < uid)
                next++;
            bool is_in_run = next < count && gone[next] - uid < left;
            size_t before = is_in_run ? gone[next] - uid : left;
            result = uids_append_run(&kept, uid, before);
            size_t passed = before + (is_in_run ? 1 : 0);
            uid += (uint32_t)passed;
            left -= passed;
        }
    }
    if (result == 0) {
        uids_deinit(uids);
        *uids = kept;
    } else {
        uids_deinit(&kept);
    }
    return result;
}
