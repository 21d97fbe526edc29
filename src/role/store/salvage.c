#include "role/store/salvage.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define ROOM (1U << 20)

/* The place of the next thing that begins like a record, or upto. */
static int find_start(struct files *files, struct segment *segment, uint64_t from, uint64_t upto, uint64_t *ret_at)
{
    AUTO_FREE uint8_t *room = mem_resize(NULL, ROOM);
    if (room == NULL)
        return -ENOMEM;
    for (uint64_t at = from; at < upto; at += ROOM) {
        size_t want = upto - at < ROOM ? (size_t)(upto - at) : ROOM;
        ssize_t got = files_read(files, segment, room, want, at);
        if (got < 0)
            return (int)got;
        for (size_t i = 0; i + RECORD_FIXED <= (size_t)got; i += SEGMENT_ALIGN) {
            struct record_head head;
            if (record_head_read(span_of(room + i, RECORD_FIXED), &head) == 0 &&
                head.record == record_id(segment->number, at + i)) {
                *ret_at = at + i;
                return 0;
            }
        }
        if ((size_t)got < want)
            break;
    }
    *ret_at = upto;
    return 0;
}

int salvage_next(struct files *files, struct segment *segment, uint64_t from, uint64_t upto,
                 struct record_head *ret_head, uint8_t **ret_rows)
{
    uint64_t at = from < SEGMENT_BLOCK ? SEGMENT_BLOCK : (from + SEGMENT_ALIGN - 1) / SEGMENT_ALIGN * SEGMENT_ALIGN;
    int result = find_start(files, segment, at, upto, &at);
    while (result == 0 && at < upto) {
        result = files_record(files, record_id(segment->number, at), ret_head, ret_rows);
        if (result != SEGMENT_INVALID)
            return result;
        result = find_start(files, segment, at + SEGMENT_ALIGN, upto, &at);
    }
    return result < 0 ? result : SEGMENT_INVALID;
}

int salvage_walk(struct files *files, struct files_cursor *cursor, struct record_head *ret_head, uint8_t **ret_rows,
                 uint64_t *damaged)
{
    int result = files_walk(files, cursor, ret_head, ret_rows);
    struct segment *segment = files_get(files, cursor->segment);
    if (result != SEGMENT_INVALID || segment == NULL || cursor->offset >= segment->end)
        return result;
    (*damaged)++;
    result = salvage_next(files, segment, cursor->offset, segment->end, ret_head, ret_rows);
    if (result == 0) {
        cursor->offset = record_offset(ret_head->record) + record_len(ret_head);
        cursor->before = ret_head->checksum;
    } else if (result == SEGMENT_INVALID) {
        cursor->offset = segment->end;
    }
    return result;
}

/* The account's newest in this segment below `below`, or 0. */
static int newest_in(struct files *files, const struct segment *segment, uint64_t account, uint64_t below,
                     uint64_t *ret_record)
{
    struct files_cursor cursor;
    uint64_t damaged = 0;
    files_walk_start(segment, &cursor);
    *ret_record = 0;
    for (;;) {
        struct record_head head;
        AUTO_FREE uint8_t *rows = NULL;
        int result = salvage_walk(files, &cursor, &head, &rows, &damaged);
        if (result != 0 || head.record >= below)
            return result < 0 ? result : 0;
        if (files_row_of(&head, rows, account) < head.recipients)
            *ret_record = head.record;
    }
}

int salvage_before(struct files *files, uint64_t account, uint64_t below, uint64_t *ret_record)
{
    uint64_t number = record_segment(below);
    *ret_record = 0;
    for (unsigned looked = 0; number > 0 && looked < SALVAGE_SEGMENTS_MAX; number--) {
        const struct segment *segment = files_get(files, number);
        if (segment == NULL && number < files_first(files))
            return 0;
        if (segment == NULL)
            continue;
        looked++;
        int result = newest_in(files, segment, account, below, ret_record);
        if (result != 0 || *ret_record != 0)
            return result;
    }
    return 0;
}
