#pragma once

#include "role/store/files.h"

/*
 * Finding one's way in a log that the disk has damaged: a damaged record costs itself, and nothing behind or before it.
 * A record that opens at its own place is one that was written there, whatever has become of those around it.
 */

/* The first whole record at `from` or behind it, below `upto`. SEGMENT_INVALID where there is none. */
MUST_USE int salvage_next(struct files *files, struct segment *segment, uint64_t from, uint64_t upto,
                          struct record_head *ret_head, uint8_t **ret_rows);

/* As files_walk(), but up to the segment's end, over what is damaged on the way; that is counted in *damaged. */
MUST_USE int salvage_walk(struct files *files, struct files_cursor *cursor, struct record_head *ret_head,
                          uint8_t **ret_rows, uint64_t *damaged);

/* The newest record below `below` that names the account, or 0: where its chain goes on below a damaged head. Looks
 * through SALVAGE_SEGMENTS_MAX segments at the most. */
#define SALVAGE_SEGMENTS_MAX 64U
MUST_USE int salvage_before(struct files *files, uint64_t account, uint64_t below, uint64_t *ret_record);
