#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/store/crc.h"
#include "role/store/journal-state.h"

/*
 * Group commit: everything that is queued goes out in one write and one sync. Who comes while a sync runs is in the
 * next group; so the group grows with the load, and nobody waits for a timer.
 */
#define GROUP_COUNT_MAX 1024U
#define GROUP_BYTES_MAX (UINT64_C(64) << 20)
#define PARTS_EACH 3U /* head, body, padding */

static const uint8_t padding[SEGMENT_ALIGN];

struct group {
    struct journal_append *appends[GROUP_COUNT_MAX];
    size_t count;
    uint64_t length;
    size_t pushed; /* appends whose recipients' chains already lead to them */
    struct segment *segment;
    uint64_t start;
    struct iovec parts[GROUP_COUNT_MAX * PARTS_EACH];
    size_t part_count;
};

void journal_queue(struct journal *journal, struct journal_append *append)
{
    list_push(&journal->queue, &append->link);
}

bool journal_has_queued(const struct journal *journal)
{
    return !list_is_empty(&journal->queue);
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

static void group_collect(struct journal *journal, struct group *group)
{
    while (group->count < GROUP_COUNT_MAX && (group->count == 0 || group->length < GROUP_BYTES_MAX)) {
        struct list_link *link = list_pop(&journal->queue);
        if (link == NULL)
            break;
        struct journal_append *append = LIST_ITEM(link, struct journal_append, link);
        uint32_t recipients = (uint32_t)(append->recipients.len / KEY_ROW_SIZE);
        assert(recipients >= 1 && recipients <= RECORD_RECIPIENTS_MAX && append->body.len <= RECORD_BODY_MAX);
        append->fields = (struct record_head){
            .recipients = recipients,
            .body_length = append->body.len,
            .arrival = append->arrival,
            .body_checksum = crc32c(0, append->body),
        };
        append->head = NULL;
        append->head_len = record_head_len(recipients);
        group->length += record_len(&append->fields);
        group->appends[group->count++] = append;
    }
}

/* Finds the group its place: behind the last one, or in a new segment; one record may be longer than a segment. */
static int group_place(struct journal *journal, struct group *group)
{
    struct segment *segment = files_last(journal->files);
    uint64_t start = segment != NULL ? round_up(segment->end, SEGMENT_BLOCK) : 0;
    bool fits = segment != NULL && (start + group->length <= journal->segment_max || segment->end == SEGMENT_BLOCK);
    if (!fits) {
        int result = files_add(journal->files, &segment);
        if (result != 0)
            return result;
        journal->before = segment->head.checksum;
        start = SEGMENT_BLOCK;
    }
    uint64_t upto = start + group->length;
    int result = files_allocate(journal->files, segment, round_up(upto, journal->step));
    if (result != 0)
        result = files_allocate(journal->files, segment, round_up(upto, SEGMENT_BLOCK));
    group->segment = segment;
    group->start = start;
    return result;
}

/* The rows as the log keeps them: with the record that was the account's newest before. */
static int rows_write(struct journal *journal, const struct journal_append *append, uint8_t *rows)
{
    int result = 0;
    for (uint32_t at = 0; at < append->fields.recipients && result == 0; at++) {
        const uint8_t *from = append->recipients.at + (size_t)at * KEY_ROW_SIZE;
        uint8_t *row = rows + (size_t)at * RECORD_ROW;
        memcpy(row, from, 8);
        bytes_put_u64(row + 8, pending_head(journal->pending, bytes_get_u64(from)));
        memcpy(row + 16, from + 8, RECORD_KEY_SIZE);
    }
    return result;
}

static void chains_undo(struct journal *journal, const struct journal_append *append, uint32_t upto,
                        const uint8_t *befores)
{
    for (uint32_t at = upto; at-- > 0;)
        pending_undo(journal->pending, bytes_get_u64(append->recipients.at + (size_t)at * KEY_ROW_SIZE),
                     bytes_get_u64(befores + (size_t)at * 8));
}

/* The heads of all chains, as they were, stand behind the encoded head until the group is durable. */
static int append_encode(struct journal *journal, struct group *group, struct journal_append *append, uint64_t offset)
{
    uint32_t recipients = append->fields.recipients;
    append->head = mem_resize(NULL, append->head_len + (size_t)recipients * 8);
    AUTO_FREE uint8_t *rows = mem_resize(NULL, (size_t)recipients * RECORD_ROW);
    if (append->head == NULL || rows == NULL)
        return -ENOMEM;
    append->fields.record = record_id(group->segment->number, offset);
    append->fields.before = journal->before;
    random_bytes(append->fields.nonce, AEAD_NONCE_SIZE);
    int result = rows_write(journal, append, rows);
    if (result == 0)
        result = record_head_write(&append->fields, rows, group->segment->aead, append->head);
    if (result != 0)
        return result;
    uint8_t *befores = append->head + append->head_len;
    for (uint32_t at = 0; at < recipients; at++) {
        uint64_t account = bytes_get_u64(rows + (size_t)at * RECORD_ROW);
        memcpy(befores + (size_t)at * 8, rows + (size_t)at * RECORD_ROW + 8, 8);
        result = pending_push(journal->pending, account, append->fields.record);
        if (result != 0) {
            chains_undo(journal, append, at, befores);
            return result;
        }
    }
    journal->before = append->fields.checksum;
    return 0;
}

static void part_add(struct group *group, const void *at, size_t len)
{
    if (len > 0)
        group->parts[group->part_count++] = (struct iovec){.iov_base = (void *)(uintptr_t)at, .iov_len = len};
}

static int group_encode(struct journal *journal, struct group *group)
{
    uint64_t offset = group->start;
    for (; group->pushed < group->count; group->pushed++) {
        struct journal_append *append = group->appends[group->pushed];
        int result = append_encode(journal, group, append, offset);
        if (result != 0)
            return result;
        uint64_t len = record_len(&append->fields);
        part_add(group, append->head, append->head_len);
        part_add(group, append->body.at, append->body.len);
        part_add(group, padding, (size_t)(len - append->head_len - append->body.len));
        offset += len;
    }
    return 0;
}

static int group_write(struct journal *journal, struct group *group)
{
    int result = group_place(journal, group);
    if (result != 0)
        return result;
    uint32_t before = journal->before;
    result = group_encode(journal, group);
    if (result == 0)
        result = files_write(journal->files, group->segment, group->parts, group->part_count, group->start);
    if (result == 0) {
        result = files_sync(journal->files, group->segment);
        if (result != 0)
            journal->fault = result;
    }
    if (result == 0)
        return 0;
    journal->before = before;
    while (group->pushed-- > 0) {
        struct journal_append *append = group->appends[group->pushed];
        chains_undo(journal, append, append->fields.recipients, append->head + append->head_len);
    }
    return result;
}

static void group_account(struct journal *journal, struct group *group)
{
    group->segment->end = group->start + group->length;
    for (size_t at = 0; at < group->count; at++)
        group->segment->live += group->appends[at]->fields.recipients;
    journal->since_checkpoint += group->length;
    journal->changed = true;
    journal->stats.appended += group->count;
    journal->stats.bytes += group->length;
    journal->stats.groups++;
}

/* Faults that go away when there is room again; the bytes that were written lie behind the log's end. */
static bool is_shortage(int fault)
{
    return fault == -ENOSPC || fault == -EDQUOT || fault == -EFBIG || fault == -ENOMEM || fault == -EMFILE ||
           fault == -ENFILE;
}

static void group_answer(struct group *group, enum append_outcome outcome)
{
    for (size_t at = 0; at < group->count; at++) {
        struct journal_append *append = group->appends[at];
        free(append->head);
        append->head = NULL;
        append->record = append->fields.record;
        append->segment = record_segment(append->record);
        append->offset = record_offset(append->record) + append->head_len;
        append->done(append, outcome);
    }
}

static void queue_refuse(struct journal *journal, enum append_outcome outcome)
{
    struct list_link *link;
    while ((link = list_pop(&journal->queue)) != NULL) {
        struct journal_append *append = LIST_ITEM(link, struct journal_append, link);
        append->done(append, outcome);
    }
}

void journal_commit(struct journal *journal)
{
    AUTO_FREE struct group *group = mem_new(sizeof(*group));
    if (group == NULL) {
        queue_refuse(journal, APPEND_FULL);
        return;
    }
    while (journal->fault == 0 && journal_has_queued(journal)) {
        memset(group, 0, offsetof(struct group, parts));
        group->part_count = 0;
        group_collect(journal, group);
        int result = group_write(journal, group);
        if (result == 0)
            group_account(journal, group);
        else if (!is_shortage(result) && journal->fault == 0)
            journal->fault = result;
        enum append_outcome failed = journal->fault != 0 ? APPEND_FAILED : APPEND_FULL;
        group_answer(group, result == 0 ? APPEND_OK : failed);
    }
    queue_refuse(journal, APPEND_FAILED);
}
