#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/*
 * The UIDs of a mailbox in rising order, by their places from 0 on. What is kept is where each run of UIDs without a
 * gap begins, so a large mailbox from which little was ever expunged takes next to nothing, and none takes more
 * than 8 bytes a message.
 */
struct uid_run {
    uint32_t uid;   /* the first */
    uint32_t place; /* its */
};

struct uids {
    struct uid_run *runs;
    size_t run_count;
    size_t run_room;
    size_t count;
};

void uids_init(struct uids *uids);
void uids_deinit(struct uids *uids);

uint32_t uids_at(const struct uids *uids, size_t place); /* below count */
size_t uids_find(const struct uids *uids, uint32_t uid); /* place of the first that is not below it; count where none */
MUST_USE int uids_append(struct uids *uids, uint32_t uid); /* above all others */
/* So many that follow one another, the first of them above all others. */
MUST_USE int uids_append_run(struct uids *uids, uint32_t first, size_t count);
/* Takes out those that are there; gone rises. */
MUST_USE int uids_remove(struct uids *uids, const uint32_t *gone, size_t count);
