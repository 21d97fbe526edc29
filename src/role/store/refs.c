#include "role/store/refs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "role/store/salvage.h"

int refs_release(struct files *files, uint64_t account, uint64_t record, struct refs_released *ret_released)
{
    struct segment *segment = files_get(files, record_segment(record));
    if (segment == NULL || record_offset(record) >= segment->end)
        return REFS_NOTHING;
    struct record_head head;
    AUTO_FREE uint8_t *rows = NULL;
    int result = files_record(files, record, &head, &rows);
    if (result != 0)
        return result < 0 ? result : REFS_NOTHING;
    uint32_t row = files_row_of(&head, rows, account);
    if (row == head.recipients || files_is_marked(&head, rows, row))
        return REFS_NOTHING;
    uint8_t mark = 1;
    struct iovec part = {&mark, 1};
    result = files_write(files, segment, &part, 1, record_offset(record) + record_marks_at(head.recipients) + row);
    if (result != 0)
        return result;
    if (segment->live > 0)
        segment->live--;
    bool last = true;
    for (uint32_t other = 0; other < head.recipients; other++)
        last = last && (other == row || files_is_marked(&head, rows, other));
    if (last)
        segment->dead += record_len(&head);
    *ret_released = (struct refs_released){
        .record = record,
        .body_at = record_offset(record) + record_head_len(head.recipients),
        .body_length = head.body_length,
        .last = last,
    };
    return REFS_DONE;
}

int refs_punch(struct files *files, const struct refs_released *released)
{
    struct segment *segment = files_get(files, record_segment(released->record));
    if (segment == NULL || !released->last)
        return 0;
    return files_punch(files, segment, released->body_at, released->body_length);
}

int refs_release_all(struct files *files, uint64_t account, uint32_t steps, struct files_cursor *cursor)
{
    assert(steps <= REFS_STEPS_MAX);
    struct refs_released released[REFS_STEPS_MAX];
    size_t count = 0;
    int end = 0;
    uint64_t damaged = 0;
    for (uint32_t step = 0; step < steps && end == 0; step++) {
        struct record_head head;
        AUTO_FREE uint8_t *rows = NULL;
        end = salvage_walk(files, cursor, &head, &rows, &damaged);
        if (end < 0)
            return end;
        if (end != 0)
            break;
        int result = refs_release(files, account, head.record, &released[count]);
        if (result < 0)
            return result;
        if (result == REFS_DONE)
            count++;
    }
    struct segment *segment = files_get(files, cursor->segment);
    if (segment == NULL || count == 0)
        return end;
    int result = files_sync(files, segment);
    for (size_t at = 0; at < count && result == 0; at++)
        result = refs_punch(files, &released[at]);
    return result != 0 ? result : end;
}

int refs_count(struct files *files, uint32_t steps, struct files_cursor *cursor, uint64_t *live)
{
    for (uint32_t step = 0; step < steps; step++) {
        struct record_head head;
        AUTO_FREE uint8_t *rows = NULL;
        /* What is damaged may still be read by who knows its place: it counts, and keeps the segment. */
        int result = salvage_walk(files, cursor, &head, &rows, live);
        if (result != 0)
            return result;
        for (uint32_t row = 0; row < head.recipients; row++)
            if (!files_is_marked(&head, rows, row))
                (*live)++;
    }
    return 0;
}
