#pragma once

#include "role/store/files.h"

/*
 * Who still needs a record: its marks (segment.h). When the last recipient has released it, the whole blocks inside its
 * body are given back to the file system; its head stays, for the chains that pass through it.
 */

/* Marks the record released by the account; *ret_head and *ret_last say what of. 0; REFS_NOTHING where it was already,
 * or is not the account's; a fault. Durable after files_sync. */
enum refs_result { REFS_DONE, REFS_NOTHING };
struct refs_released {
    uint64_t record;
    uint64_t body_at;
    uint64_t body_length;
    bool last; /* nobody needs it any more: give it to refs_punch once the marks are durable */
};
MUST_USE int refs_release(struct files *files, uint64_t account, uint64_t record, struct refs_released *ret_released);
MUST_USE int refs_punch(struct files *files, const struct refs_released *released);

/* Counts a segment's live recipients from its marks. */
MUST_USE int refs_count(struct files *files, struct segment *segment, uint64_t *ret_live);

/*
 * Releases everything of an account in one segment, from *offset on, at most `steps` records; *offset is where to
 * continue, 0 at the end. Released records are appended to *released (up to room).
 */
MUST_USE int refs_release_all(struct files *files, struct segment *segment, uint64_t account, uint32_t steps,
                              uint64_t *offset);
