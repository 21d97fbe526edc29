#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/courier/courier-state.h"

#define PAGE 256U
#define RETRY_MS 1000
#define OPENED_BEFORE_YIELD 8U

/* One reading of the queue: from the newest record down to what is known. Notes come before what they stand for. */
struct reading {
    struct courier *courier;
    struct map *notes; /* of records not met yet: their places */
    struct opened opened;
    uint64_t newest;
    unsigned turn;
};

static void entry_free(struct courier *courier, struct entry *entry)
{
    schedule_remove(&courier->schedule, &entry->due);
    list_remove(&entry->looker);
    for (size_t i = 0; i < entry->leg_count; i++) {
        schedule_remove(&courier->schedule, &entry->legs[i].due);
        destination_drop(&entry->legs[i]);
        destination_leave(entry->legs[i].destination);
    }
    free(entry->legs);
    free(entry);
}

static bool is_used(const struct entry *entry)
{
    bool busy = entry->work != NULL || entry->is_looked_at;
    for (size_t i = 0; i < entry->leg_count; i++)
        busy = busy || entry->legs[i].is_busy;
    return busy;
}

void entry_end(struct courier *courier, struct entry *entry)
{
    if (entry->is_gone)
        return;
    entry->is_gone = true;
    (void)map_remove(courier->entries, entry->message.record);
    settle_record(courier, entry->message.record);
    settle_record(courier, entry->note.record);
    if (!is_used(entry))
        entry_free(courier, entry);
}

void entry_let_go(struct courier *courier, struct entry *entry)
{
    if (entry->is_gone && !is_used(entry))
        entry_free(courier, entry);
}

void entries_free(struct courier *courier)
{
    size_t cursor = 0;
    uint64_t record = 0;
    void *entry = NULL;
    while (courier->entries != NULL && map_next(courier->entries, &cursor, &record, &entry))
        entry_free(courier, entry);
    map_free(courier->entries);
    courier->entries = NULL;
}

static void place_set(struct place *place, const struct pending_row *row)
{
    *place =
        (struct place){.record = row->record, .segment = row->segment, .offset = row->offset, .length = row->length};
    memcpy(place->key, row->sealed_key, sizeof(place->key));
}

static int take_note(struct reading *reading, const struct place *place, span_t bytes)
{
    size_t count = 0;
    uint64_t record = note_record(bytes, &count);
    if (record == 0)
        return -EBADMSG;
    const struct entry *entry = map_get(reading->courier->entries, record);
    if (entry != NULL) { /* one of ours, whose answer is on its way; or an older one that is released already */
        if (entry->note.record > place->record)
            settle_record(reading->courier, place->record);
        return 0;
    }
    if (map_get(reading->notes, record) != NULL) {
        settle_record(reading->courier, place->record); /* there is a newer one */
        return 0;
    }
    struct place *kept = mem_new(sizeof(*kept));
    if (kept == NULL)
        return -ENOMEM;
    *kept = *place;
    int result = map_put(reading->notes, record, kept);
    if (result < 0)
        free(kept);
    return result;
}

static int take_message(struct reading *reading, const struct pending_row *row, const struct place *place, span_t bytes)
{
    struct courier *courier = reading->courier;
    struct envelope envelope;
    if (envelope_read(bytes, &envelope) < 0)
        return -EBADMSG;
    struct entry *entry = mem_new(sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    int result = map_put(courier->entries, place->record, entry);
    if (result < 0) {
        free(entry);
        return result;
    }
    entry->due.kind = DUE_ENTRY;
    entry->message = *place;
    entry->arrived = (int64_t)(row->arrival / 1000000);
    entry->hold_until = envelope.hold_until;
    entry->account = envelope.account;
    struct place *note = map_remove(reading->notes, place->record);
    if (note != NULL)
        entry->note = *note;
    free(note);
    return schedule_put(&courier->schedule, &entry->due, entry->arrived);
}

static int take_row(struct task *task, struct reading *reading, const struct pending_row *row)
{
    struct courier *courier = reading->courier;
    struct place place;
    place_set(&place, row);
    if (map_get(courier->entries, row->record) != NULL)
        return 0;
    int result = record_peek(task, courier, &place, &reading->opened);
    span_t bytes = buf_span(&reading->opened.bytes);
    if (result == 0)
        result = reading->opened.kind == RECORD_OUTGOING ? take_message(reading, row, &place, bytes)
                 : reading->opened.kind == RECORD_NOTE   ? take_note(reading, &place, bytes)
                 : reading->opened.kind == RECORD_POLICY ? sts_take(courier, row->record, bytes)
                                                         : -EBADMSG;
    if (result == -EBADMSG || result == -ENOENT) {
        log_error("courier.record.unreadable", F_U64("record", row->record), F_FAULT(result));
        courier->unreadable++;
        result = 0;
    }
    if (result == 0 && ++reading->turn % OPENED_BEFORE_YIELD == 0)
        result = task_yield(task);
    return result;
}

static int ask_pending(struct task *task, struct courier *courier, uint64_t before, struct ipc_message **ret_reply)
{
    struct channel *store = wiring_peer(courier->wiring, ROLE_STORE, 0);
    if (store == NULL)
        return -ENOTCONN;
    struct ipc_message request = {.type = IPC_pending, .pending = {.before = before, .limit = PAGE}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, store, &request, COURIER_CALL_MS, &reply);
    if (result == 0 && reply->pending_done.outcome != 0)
        result = -(int)reply->pending_done.outcome;
    if (result == 0)
        *ret_reply = TAKE(reply);
    return result;
}

static int read_page(struct task *task, struct reading *reading, uint64_t *before, bool *ret_more)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = ask_pending(task, reading->courier, *before, &reply);
    if (result < 0)
        return result;
    span_t rows = reply->pending_done.rows;
    *ret_more = reply->pending_done.more != 0;
    for (; result == 0 && rows.len >= PENDING_ROW_SIZE; rows = span_from(rows, PENDING_ROW_SIZE)) {
        struct pending_row row;
        pending_row_get(rows.at, &row);
        *before = row.record;
        if (row.record <= reading->courier->newest) {
            *ret_more = false;
            break;
        }
        if (row.record > reading->newest)
            reading->newest = row.record;
        result = take_row(task, reading, &row);
    }
    return result;
}

static int read_all(struct task *task, struct reading *reading)
{
    uint64_t before = 0;
    bool more = true;
    int result = 0;
    while (result == 0 && more)
        result = read_page(task, reading, &before, &more);
    if (result == 0 && reading->newest > reading->courier->newest)
        reading->courier->newest = reading->newest;
    return result;
}

/* Notes of messages that are over stay behind where a crash came between: they go now. */
static void end_notes(struct reading *reading, bool is_whole)
{
    size_t cursor = 0;
    uint64_t record = 0;
    void *value = NULL;
    while (map_next(reading->notes, &cursor, &record, &value)) {
        const struct place *place = value;
        if (is_whole)
            settle_record(reading->courier, place->record);
        free(value);
    }
    map_free(reading->notes);
    buf_deinit(&reading->opened.bytes);
}

static int read_queue(struct task *task, struct courier *courier)
{
    struct reading reading = {.courier = courier};
    buf_init(&reading.opened.bytes, ENVELOPE_MAX + NOTE_MAX);
    int result = map_new(&reading.notes);
    if (result == 0)
        result = read_all(task, &reading);
    if (reading.notes != NULL)
        end_notes(&reading, result == 0);
    return result;
}

void queue_task(struct task *task, void *arg)
{
    struct courier *courier = arg;
    int result = 0;
    while (result != -ECANCELED) {
        result = event_wait(task, &courier->arrived, FOREVER);
        if (result < 0)
            break;
        event_clear(&courier->arrived);
        result = read_queue(task, courier);
        if (result == 0) {
            courier->is_loaded = true;
            event_raise(&courier->loaded);
            timer_start(courier->clock, 0);
        } else if (result != -ECANCELED) {
            log_warn("courier.queue.unread", F_FAULT(result));
            event_raise(&courier->arrived);
            result = task_sleep(task, RETRY_MS);
        }
    }
}
