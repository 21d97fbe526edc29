#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/store/checkpoint.h"
#include "role/store/crc.h"
#include "role/store/journal-state.h"
#include "role/store/salvage.h"

/*
 * The checkpoint: version 8 | tail: segment 8, offset 8, checksum 8 | count of segments 8, each: number, end,
 * live, chained, dead (8 each) | pending (pending_save) | count of accounts being forgotten 8, each 8.
 */
#define CHECKPOINT_VERSION 1U
#define READ_SIZE (1U << 20)

static void number_append(struct buf *into, uint64_t value)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, value);
    (void)buf_append(into, span_of(bytes, sizeof(bytes))); /* the buffer remembers the fault */
}

static int number_take(span_t *from, uint64_t *ret_value)
{
    if (from->len < 8)
        return -EBADMSG;
    *ret_value = bytes_get_u64(from->at);
    *from = span_from(*from, 8);
    return 0;
}

static void segments_save(const struct journal *journal, struct buf *into)
{
    number_append(into, files_count(journal->files));
    const struct segment *each = files_after(journal->files, 0);
    for (; each != NULL; each = files_after(journal->files, each->number)) {
        number_append(into, each->number);
        number_append(into, each->end);
        number_append(into, each->live);
        number_append(into, each->chained);
        number_append(into, each->dead);
    }
}

/* Marks have to be durable before counts that include them are. */
static int segments_sync(struct journal *journal)
{
    struct segment *each = files_after(journal->files, 0);
    for (; each != NULL; each = files_after(journal->files, each->number)) {
        int result = files_sync(journal->files, each);
        if (result != 0)
            return journal->fault = result;
    }
    return 0;
}

int journal_checkpoint(struct journal *journal)
{
    if (journal->fault != 0)
        return journal->fault;
    int result = segments_sync(journal);
    if (result != 0)
        return result;
    AUTO_BUF struct buf plain;
    buf_init(&plain, CHECKPOINT_MAX);
    const struct segment *last = files_last(journal->files);
    number_append(&plain, CHECKPOINT_VERSION);
    number_append(&plain, last != NULL ? last->number : 0);
    number_append(&plain, last != NULL ? last->end : 0);
    number_append(&plain, journal->before);
    segments_save(journal, &plain);
    result = pending_save(journal->pending, &plain);
    number_append(&plain, buf_len(&journal->forgetting) / 8);
    (void)buf_append(&plain, buf_span(&journal->forgetting));
    if (result == 0)
        result = buf_fault(&plain);
    if (result == 0)
        result = checkpoint_write(journal->dir, secret_span(journal->key), buf_span(&plain));
    if (result != 0)
        return result;
    journal->since_checkpoint = 0;
    journal->changed = false;
    return 0;
}

static int segment_load(struct journal *journal, span_t *from)
{
    uint64_t values[5];
    for (size_t at = 0; at < COUNT_OF(values); at++)
        if (number_take(from, &values[at]) != 0)
            return -EBADMSG;
    struct segment *segment = files_get(journal->files, values[0]);
    if (segment == NULL)
        return 0;
    segment->end = values[1];
    segment->live = values[2];
    segment->chained = values[3];
    segment->dead = values[4];
    return 0;
}

static int forgetting_load(struct journal *journal, span_t *from)
{
    uint64_t count;
    if (number_take(from, &count) != 0 || count > from->len / 8)
        return -EBADMSG;
    return buf_append(&journal->forgetting, span_upto(*from, (size_t)count * 8));
}

/* Sets where to replay from. */
static int checkpoint_load(struct journal *journal, span_t plain, struct files_cursor *ret_from)
{
    uint64_t values[4];
    for (size_t at = 0; at < COUNT_OF(values); at++)
        if (number_take(&plain, &values[at]) != 0)
            return -EBADMSG;
    uint64_t segments;
    if (values[0] != CHECKPOINT_VERSION)
        return -ENOTSUP;
    int result = number_take(&plain, &segments);
    for (uint64_t at = 0; at < segments && result == 0; at++)
        result = segment_load(journal, &plain);
    if (result == 0)
        result = pending_load(journal->pending, &plain);
    if (result == 0)
        result = forgetting_load(journal, &plain);
    *ret_from = (struct files_cursor){values[1], values[2], (uint32_t)values[3]};
    return result;
}

/* A body that is not what its head says was torn; one that nobody needs may have been given back already. */
static int body_check(struct journal *journal, const struct record_head *head, const uint8_t *rows, uint8_t *room)
{
    bool needed = false;
    for (uint32_t row = 0; row < head->recipients; row++)
        needed = needed || !files_is_marked(head, rows, row);
    if (!needed)
        return 0;
    struct segment *segment = files_get(journal->files, record_segment(head->record));
    uint64_t offset = record_offset(head->record) + record_head_len(head->recipients);
    uint32_t crc = 0;
    for (uint64_t left = head->body_length; left > 0;) {
        size_t now = left < READ_SIZE ? (size_t)left : READ_SIZE;
        ssize_t got = files_read(journal->files, segment, room, now, offset);
        if (got < 0)
            return (int)got;
        if ((size_t)got < now)
            return SEGMENT_INVALID;
        crc = crc32c(crc, span_of(room, now));
        offset += now;
        left -= now;
    }
    return crc == head->body_checksum ? 0 : SEGMENT_INVALID;
}

/* is_salvaged: what came before is unknown; so nothing is said to have been taken by then. */
static int record_apply(struct journal *journal, const struct record_head *head, const uint8_t *rows, bool is_salvaged)
{
    struct segment *segment = files_get(journal->files, record_segment(head->record));
    bool needed = false;
    for (uint32_t at = 0; at < head->recipients; at++) {
        struct record_row row;
        record_row_read(rows, at, &row);
        int result = is_salvaged ? 0 : pending_advance(journal->pending, row.account, row.before);
        if (result == 0)
            result = pending_push(journal->pending, row.account, head->record);
        if (result == 0 && files_is_marked(head, rows, at))
            result = pending_take(journal->pending, row.account, head->record);
        if (result != 0)
            return result;
        if (!files_is_marked(head, rows, at)) {
            segment->live++;
            needed = true;
        }
    }
    if (!needed)
        segment->dead += record_len(head);
    return 0;
}

/*
 * Where the chain of heads ends, the log ends, or a head is damaged. What is whole behind it tells, unless it is older
 * than what came last: then it was left there by a group that failed for want of space.
 */
static int walk_on(struct journal *journal, struct files_cursor *at, uint64_t arrival, struct record_head *head,
                   uint8_t **rows, bool *ret_salvaged)
{
    struct segment *segment = files_get(journal->files, at->segment);
    int result = files_walk(journal->files, at, head, rows);
    *ret_salvaged = result == SEGMENT_INVALID;
    if (!*ret_salvaged)
        return result;
    result = salvage_next(journal->files, segment, at->offset, segment->room, head, rows);
    if (result != 0)
        return result;
    if (head->arrival <= arrival) {
        free(*rows);
        *rows = NULL;
        return SEGMENT_INVALID;
    }
    at->offset = record_offset(head->record) + record_len(head);
    at->before = head->checksum;
    return 0;
}

/* A record whose body is not what it was: torn, where it is the last thing in the log, or damaged. */
static int is_followed(struct journal *journal, struct files_cursor behind)
{
    struct record_head head;
    AUTO_FREE uint8_t *rows = NULL;
    if (files_after(journal->files, behind.segment) != NULL)
        return 0;
    return files_walk(journal->files, &behind, &head, &rows);
}

/* From the cursor to the end of its segment. */
static int segment_replay(struct journal *journal, struct files_cursor *cursor, uint8_t *room)
{
    for (uint64_t arrival = 0;;) {
        struct files_cursor at = *cursor;
        struct record_head head;
        AUTO_FREE uint8_t *rows = NULL;
        bool is_salvaged = false;
        int result = walk_on(journal, &at, arrival, &head, &rows, &is_salvaged);
        if (result == 0)
            result = body_check(journal, &head, rows, room);
        bool is_damaged = result == SEGMENT_INVALID && rows != NULL;
        if (is_damaged)
            result = is_followed(journal, at);
        if (result != 0)
            return result < 0 ? result : 0;
        result = record_apply(journal, &head, rows, is_salvaged);
        if (result != 0)
            return result;
        *cursor = at;
        arrival = head.arrival;
        journal->stats.replayed++;
        journal->stats.damaged += is_damaged || is_salvaged;
        journal->since_checkpoint += record_len(&head);
        journal->changed = true;
    }
}

static int replay_from(struct journal *journal, struct files_cursor cursor)
{
    AUTO_FREE uint8_t *room = mem_resize(NULL, READ_SIZE);
    if (room == NULL)
        return -ENOMEM;
    struct segment *segment = files_get(journal->files, cursor.segment);
    if (segment == NULL) {
        segment = files_after(journal->files, cursor.segment);
        if (segment != NULL)
            files_walk_start(segment, &cursor);
    }
    while (segment != NULL) {
        int result = files_settle(journal->files, segment);
        if (result == 0)
            result = segment_replay(journal, &cursor, room);
        if (result != 0)
            return result;
        segment->end = cursor.offset;
        journal->before = cursor.before;
        segment = files_after(journal->files, segment->number);
        if (segment != NULL)
            files_walk_start(segment, &cursor);
    }
    return 0;
}

int journal_replay(struct journal *journal)
{
    int result = files_scan(journal->files);
    if (result != 0)
        return result;
    AUTO_BUF struct buf plain;
    buf_init(&plain, CHECKPOINT_MAX);
    result = checkpoint_read(journal->dir, secret_span(journal->key), &plain);
    if (result < 0)
        return result;
    struct files_cursor from = {0};
    if (result == CHECKPOINT_OK)
        result = checkpoint_load(journal, buf_span(&plain), &from);
    return result < 0 ? result : replay_from(journal, from);
}
