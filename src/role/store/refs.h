#pragma once

#include "role/store/files.h"

/*
 * Who still needs a record: its marks (segment.h). When the last recipient has released it, the whole blocks inside its
 * body are given back to the file system; its head stays, for the chains that pass through it.
 */

enum refs_result { REFS_DONE, REFS_NOTHING };

struct refs_released {
    uint64_t record;
    uint64_t body_at;
    uint64_t body_length;
    bool last; /* nobody needs it any more: give it to refs_punch once the marks are durable */
};

/* Marks the record released by the account; REFS_NOTHING where it was already, or is not the account's; a fault.
 * Durable after files_sync. */
MUST_USE int refs_release(struct files *files, uint64_t account, uint64_t record, struct refs_released *ret_released);
MUST_USE int refs_punch(struct files *files, const struct refs_released *released);

/*
 * Releases what the account has in the next `steps` records (at most REFS_STEPS_MAX) behind the cursor, durably.
 * SEGMENT_INVALID at the segment's end.
 */
#define REFS_STEPS_MAX 64U
MUST_USE int refs_release_all(struct files *files, uint64_t account, uint32_t steps, struct files_cursor *cursor);

/* Counts the recipients that have not released their record, over the next `steps` records; as above. */
MUST_USE int refs_count(struct files *files, uint32_t steps, struct files_cursor *cursor, uint64_t *live);
