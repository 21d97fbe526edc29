#include "role/store/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/store/journal-state.h"

#define COUNT_STEPS 1024U

/* The last segment is left out: its counts change all the time, and were made by the replay. */
static void count_start(struct journal *journal, const struct segment *segment)
{
    journal->count_cursor = (struct files_cursor){0};
    if (segment == NULL || segment == files_last(journal->files))
        return;
    files_walk_start(segment, &journal->count_cursor);
    journal->counted = 0;
    journal->counted_from = segment->live;
}

int journal_open(const struct journal_options *options, struct journal **ret_journal)
{
    AUTO(journal) struct journal *journal = mem_new(sizeof(*journal));
    if (journal == NULL)
        return -ENOMEM;
    journal->dir = options->dir;
    journal->segment_max = options->segment_max != 0 ? options->segment_max : JOURNAL_SEGMENT_MAX;
    journal->step = options->step != 0 ? options->step : JOURNAL_STEP;
    list_init(&journal->queue);
    buf_init(&journal->forgetting, JOURNAL_FORGETTING_MAX);
    int result = secret_copy(options->key, &journal->key);
    if (result == 0)
        result = files_new(options->dir, options->key, options->calls, &journal->files);
    if (result == 0)
        result = pending_new(journal->files, &journal->pending);
    if (result == 0)
        result = journal_replay(journal);
    if (result != 0)
        return result;
    count_start(journal, files_after(journal->files, 0));
    *ret_journal = TAKE(journal);
    return 0;
}

void journal_free(struct journal *journal)
{
    if (journal == NULL)
        return;
    pending_free(journal->pending);
    files_free(journal->files);
    secret_free(journal->key);
    buf_deinit(&journal->forgetting);
    free(journal);
}

int journal_fault(const struct journal *journal)
{
    return journal->fault;
}

int journal_pending(struct journal *journal, uint64_t account, uint64_t before, uint32_t limit, struct buf *rows,
                    bool *ret_more)
{
    return pending_list(journal->pending, account, before, limit, rows, ret_more);
}

int journal_taken(struct journal *journal, uint64_t account, const uint64_t *records, size_t count)
{
    journal->changed = true;
    int result = 0;
    for (size_t at = 0; at < count && result == 0; at++)
        result = pending_take(journal->pending, account, records[at]);
    return result;
}

/* Marks first, then one sync for each segment, then the holes: a hole below an unmarked head would read as a torn
 * record. */
int journal_release(struct journal *journal, uint64_t account, const uint64_t *records, size_t count)
{
    if (journal->fault != 0)
        return journal->fault;
    AUTO_FREE struct refs_released *released = mem_new_array(count + 1, sizeof(*released));
    if (released == NULL)
        return -ENOMEM;
    size_t done = 0;
    int result = 0;
    journal->changed = true;
    for (size_t at = 0; at < count && result >= 0; at++) {
        result = refs_release(journal->files, account, records[at], &released[done]);
        if (result == REFS_DONE)
            done++;
    }
    for (size_t at = 0; at < done; at++) {
        struct segment *segment = files_get(journal->files, record_segment(released[at].record));
        int synced = segment != NULL ? files_sync(journal->files, segment) : 0;
        if (synced != 0)
            return journal->fault = synced;
    }
    for (size_t at = 0; at < count && result >= 0; at++)
        result = pending_take(journal->pending, account, records[at]);
    for (size_t at = 0; at < done && result >= 0; at++)
        result = refs_punch(journal->files, &released[at]);
    return result < 0 ? result : 0;
}

int journal_open_read(struct journal *journal, uint64_t segment)
{
    return files_open_read(journal->files, segment);
}

int journal_forget(struct journal *journal, uint64_t account)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, account);
    int result = pending_forget(journal->pending, account);
    if (result == 0)
        result = buf_append(&journal->forgetting, span_of(bytes, sizeof(bytes)));
    return result != 0 ? result : journal_checkpoint(journal);
}

/* A little of the first account to forget: its records in one segment after the other. */
static int forget_work(struct journal *journal)
{
    struct files_cursor *cursor = &journal->forget_cursor;
    uint64_t account = bytes_get_u64(buf_span(&journal->forgetting).at);
    int result = SEGMENT_INVALID;
    if (files_get(journal->files, cursor->segment) != NULL)
        result = refs_release_all(journal->files, account, REFS_STEPS_MAX, cursor);
    if (result != SEGMENT_INVALID)
        return result;
    const struct segment *next = files_after(journal->files, cursor->segment);
    if (next != NULL) {
        files_walk_start(next, cursor);
        return 0;
    }
    *cursor = (struct files_cursor){0};
    buf_consume(&journal->forgetting, 8);
    journal->changed = true;
    return 0;
}

/*
 * The checkpoint goes first: it must not name a chain that leads through what is deleted after it. A segment's live
 * count is never lower than the truth, as marks are durable before the counts that include them.
 */
static int drop_work(struct journal *journal, bool *ret_dropped)
{
    *ret_dropped = false;
    const struct segment *last = files_last(journal->files);
    struct segment *each = files_after(journal->files, 0);
    while (each != NULL && (each == last || each->live > 0 || each->chained > 0))
        each = files_after(journal->files, each->number);
    if (each == NULL)
        return 0;
    int result = journal->changed ? journal_checkpoint(journal) : 0;
    if (result == 0)
        result = files_drop(journal->files, each);
    *ret_dropped = result == 0;
    journal->changed = true;
    return result;
}

/*
 * Releases that came between the last checkpoint and a crash stand in the marks, but not in the counts. Segment by
 * segment these are made right again; a segment that changes while it is counted is counted anew.
 */
static int count_work(struct journal *journal)
{
    struct files_cursor *cursor = &journal->count_cursor;
    struct segment *segment = files_get(journal->files, cursor->segment);
    int result = SEGMENT_INVALID;
    if (segment != NULL)
        result = refs_count(journal->files, COUNT_STEPS, cursor, &journal->counted);
    if (result != SEGMENT_INVALID)
        return result;
    bool again = segment != NULL && segment->live != journal->counted_from;
    if (segment != NULL && !again)
        segment->live = journal->counted;
    count_start(journal, again ? segment : files_after(journal->files, cursor->segment));
    return 0;
}

int journal_work(struct journal *journal, bool *ret_more)
{
    *ret_more = true;
    if (journal->fault != 0)
        return journal->fault;
    if (buf_len(&journal->forgetting) > 0)
        return forget_work(journal);
    if (journal->count_cursor.segment != 0)
        return count_work(journal);
    return drop_work(journal, ret_more);
}

bool journal_is_changed(const struct journal *journal)
{
    return journal->changed;
}

bool journal_checkpoint_due(const struct journal *journal)
{
    return journal->since_checkpoint >= JOURNAL_CHECKPOINT_BYTES;
}

void journal_get_stats(const struct journal *journal, struct journal_stats *ret_stats)
{
    *ret_stats = journal->stats;
    ret_stats->segments = files_count(journal->files);
    ret_stats->accounts = pending_accounts(journal->pending);
    ret_stats->damaged += pending_bridges(journal->pending);
}
