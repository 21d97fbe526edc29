#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/courier/courier-state.h"

#define RETRY_MS 1000

static void work_free(struct courier *courier, struct work *work)
{
    if (work == NULL)
        return;
    record_reader_free(work->reader);
    secret_free(work->key);
    segfile_put(courier, work->segfile);
    buf_deinit(&work->head);
    free(work->recipients);
    free(work->note.recipients);
    free(work);
}

static int open_record(struct task *task, struct courier *courier, const struct place *place, struct work *work)
{
    int result = record_key_open(courier->receiver, place->key, &work->key);
    if (result == 0)
        result = segfile_get(task, courier, place->segment, &work->segfile);
    if (result == 0)
        result = record_reader_new(work->key, segfile_fd(work->segfile), place->offset, place->length, &work->reader);
    return result > 0 ? -EBADMSG : result;
}

/* The first bytes of what the record holds: all of an envelope, or of what courier has written itself. */
static int read_head(struct work *work)
{
    enum record_kind kind = record_reader_meta(work->reader)->kind;
    buf_init(&work->head, ENVELOPE_MAX + NOTE_MAX);
    int result = record_reader_read(work->reader, 0,
                                    kind != RECORD_OUTGOING ? record_reader_message_len(work->reader) : ENVELOPE_FIXED,
                                    &work->head);
    if (result == 0 && kind == RECORD_OUTGOING) {
        work->envelope_len = envelope_len(buf_span(&work->head));
        result = work->envelope_len == 0 ? -EBADMSG
                                         : record_reader_read(work->reader, ENVELOPE_FIXED,
                                                              work->envelope_len - ENVELOPE_FIXED, &work->head);
    }
    return result > 0 ? -EBADMSG : result;
}

int record_peek(struct task *task, struct courier *courier, const struct place *place, struct opened *opened)
{
    struct work *work = mem_new(sizeof(*work));
    if (work == NULL)
        return -ENOMEM;
    int result = open_record(task, courier, place, work);
    if (result == 0)
        result = read_head(work);
    if (result == 0) {
        opened->kind = (int)record_reader_meta(work->reader)->kind;
        buf_clear(&opened->bytes);
        result = buf_append(&opened->bytes, buf_span(&work->head));
    }
    work_free(courier, work);
    return result;
}

static int list_recipients(struct work *work)
{
    struct envelope_recipient recipient;
    size_t count = 0;
    for (span_t rows = work->envelope.rows; envelope_recipient_next(&rows, &recipient);)
        count++;
    work->recipients = mem_new_array(count, sizeof(*work->recipients));
    work->note.recipients = mem_new_array(count, sizeof(*work->note.recipients));
    if (work->recipients == NULL || work->note.recipients == NULL)
        return -ENOMEM;
    span_t rows = work->envelope.rows;
    for (size_t i = 0; i < count; i++) {
        if (!envelope_recipient_next(&rows, &work->recipients[i]))
            return -EBADMSG;
        if ((work->recipients[i].notify & ENVELOPE_LOCAL) != 0)
            work->note.recipients[i].status = NOTE_DELIVERED;
    }
    work->note.count = count;
    work->note.record = work->entry->message.record;
    return 0;
}

static int read_note(struct task *task, struct courier *courier, struct work *work)
{
    struct opened opened = {0};
    buf_init(&opened.bytes, NOTE_MAX);
    int result = record_peek(task, courier, &work->entry->note, &opened);
    if (result == 0)
        result = note_read(buf_span(&opened.bytes), &work->note);
    buf_deinit(&opened.bytes);
    return result;
}

static int work_new(struct task *task, struct courier *courier, struct entry *entry, struct work *work)
{
    work->entry = entry;
    int result = open_record(task, courier, &entry->message, work);
    if (result == 0 && record_reader_meta(work->reader)->kind != RECORD_OUTGOING)
        return -EBADMSG;
    if (result == 0)
        result = read_head(work);
    if (result == 0)
        result = envelope_read(buf_span(&work->head), &work->envelope);
    if (result == 0)
        result = list_recipients(work);
    return result == 0 && entry->note.record != 0 ? read_note(task, courier, work) : result;
}

int work_begin(struct task *task, struct courier *courier, struct entry *entry, struct work **ret_work)
{
    if (entry->work == NULL) {
        struct work *work = mem_new(sizeof(*work));
        if (work == NULL)
            return -ENOMEM;
        int result = work_new(task, courier, entry, work);
        if (result < 0 || entry->work != NULL) { /* another task may have been quicker */
            work_free(courier, work);
            if (result < 0)
                return result;
        } else {
            entry->work = work;
        }
    }
    entry->work->users++;
    *ret_work = entry->work;
    return 0;
}

/* --- notes ------------------------------------------------------------------------------------------------------ */

static int append_note(struct task *task, struct courier *courier, const struct note *note, struct place *ret_place)
{
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, NOTE_MAX);
    int result = note_write(note, &bytes);
    return result == 0 ? record_append(task, courier, RECORD_NOTE, buf_span(&bytes), ret_place) : result;
}

/* Several may note at a time: the log has them in the order in which they were written, each with all that is known. */
int work_save(struct task *task, struct courier *courier, struct work *work)
{
    struct entry *entry = work->entry;
    struct place place = {0};
    if (!work->is_changed || entry->is_gone)
        return 0;
    work->is_changed = false;
    int result = append_note(task, courier, &work->note, &place);
    if (result < 0) {
        work->is_changed = true;
        return result;
    }
    uint64_t earlier = entry->note.record < place.record ? entry->note.record : place.record;
    if (place.record > entry->note.record)
        entry->note = place;
    if (earlier != 0)
        settle_record(courier, earlier);
    if (entry->is_gone)
        settle_record(courier, place.record);
    return 0;
}

bool work_is_over(const struct work *work)
{
    for (size_t i = 0; i < work->note.count; i++)
        if (work->note.recipients[i].status != NOTE_DONE)
            return false;
    return true;
}

void work_drop(struct courier *courier, struct work *work)
{
    struct entry *entry = work->entry;
    if (--work->users > 0)
        return;
    entry->work = NULL;
    entry->recipients_open = 0;
    for (size_t i = 0; i < work->note.count; i++)
        entry->recipients_open += work->note.recipients[i].status == NOTE_OPEN;
    work_free(courier, work);
}

/* What is known is kept until store has it, however long that takes: forgotten, it would be done again. */
static int save_surely(struct task *task, struct courier *courier, struct work *work)
{
    int result = work_save(task, courier, work);
    while (result < 0 && result != -ECANCELED) {
        log_warn("courier.note.failed", F_FAULT(result));
        result = task_sleep(task, RETRY_MS);
        if (result == 0)
            result = work_save(task, courier, work);
    }
    return result;
}

int work_end(struct task *task, struct courier *courier, struct work *work)
{
    int result = 0;
    if (work_is_over(work))
        entry_end(courier, work->entry);
    else
        result = save_surely(task, courier, work);
    work_drop(courier, work);
    return result;
}

/* --- what is asked of it ---------------------------------------------------------------------------------------- */

int work_read(struct work *work, uint64_t from, uint64_t len, struct buf *bytes)
{
    int result = record_reader_read(work->reader, work->envelope_len + from, len, bytes);
    return result > 0 ? -EBADMSG : result;
}

uint64_t work_message_len(const struct work *work)
{
    return record_reader_message_len(work->reader) - work->envelope_len;
}

void work_set(struct work *work, size_t recipient, enum note_status status, const struct smtp_response *response,
              span_t host)
{
    struct note_recipient *row = &work->note.recipients[recipient];
    row->status = status;
    work->is_changed = true;
    if (response == NULL)
        return;
    row->response = *response;
    row->host_len = (uint8_t)(host.len < NOTE_HOST_MAX ? host.len : NOTE_HOST_MAX);
    if (row->host_len > 0)
        memcpy(row->host, host.at, row->host_len);
}
