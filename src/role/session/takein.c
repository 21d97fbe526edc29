#include "role/session/takein.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/record.h"
#include "ipc/row.h"
#include "role/session/append.h"
#include "role/session/damaged.h"
#include "role/session/flags.h"
#include "role/session/index.h"
#include "role/session/message.h"
#include "role/session/quiet.h"
#include "role/session/release.h"
#include "vault/mailbox.h"
#include "vault/origin.h"
#include "vault/outbox.h"

#define BATCH_ROWS 256U
#define BATCH_BYTES (8U << 20)       /* of sealed records; one larger than that goes alone */
#define BATCH_ARENA_MAX (160U << 20) /* the caches of a batch: at most 256 times two of VAULT_CACHE_MAX, and more */
#define YIELD_BYTES (256U << 10)     /* how much is read before the connections get their turn */
#define RETRY_MS 2000                /* after a fault: store away, disk full */
#define BREATH_MS 150                /* between two batches at least: what comes meanwhile shares one sync */
#define BREATHS_MAX 7                /* in a row: about a second */
#define CROWD 64                     /* announcements that end the pause after the breath they come in */
#define PATIENCE_MS 1000             /* how long a client waits for what has arrived */
#define TAKEN_CHUNK 8192U            /* ids in one message */

struct entry {
    struct vault_new_email email;
    struct record_meta meta; /* spans in the batch's arena */
};

struct batch {
    struct session *session;
    struct arena *keep;
    struct arena *scratch;
    struct entry *entries;
    size_t count;
    struct map *unreadable; /* records that cannot be opened: left pending, not tried again */
};

/* --- saying what is taken --- */

void takein_note_taken(struct session *session, uint64_t record)
{
    uint64_t *more = mem_grow(session->taken, session->taken_count, &session->taken_room, sizeof(*more));
    if (more == NULL)
        return; /* it stays pending, and is found to be here the next time */
    session->taken = more;
    session->taken[session->taken_count++] = record;
}

static int tell_taken(struct task *task, struct session *session)
{
    AUTO_FREE uint8_t *ids = session->taken_count > 0 ? mem_new(TAKEN_CHUNK * 8) : NULL;
    if (ids == NULL)
        return session->taken_count > 0 ? -ENOMEM : 0;
    while (session->taken_count > 0) {
        size_t count = session->taken_count < TAKEN_CHUNK ? session->taken_count : TAKEN_CHUNK;
        size_t first = session->taken_count - count;
        for (size_t i = 0; i < count; i++)
            bytes_put_u64(ids + 8 * i, session->taken[first + i]);
        /* Taken off before the call: what APPEND adds meanwhile comes behind. */
        session->taken_count = first;
        struct channel *store = session_store(session);
        if (store == NULL)
            return -ENOTCONN;
        struct ipc_message request = {.type = IPC_taken, .taken = {.records = span_of(ids, 8 * count)}};
        AUTO(ipc_message) struct ipc_message *reply = NULL;
        int result = channel_call_within(task, store, &request, SESSION_CALL_MS, &reply);
        if (result == 0 && reply->done.outcome != 0)
            result = -(int)reply->done.outcome;
        if (result < 0)
            return result;
    }
    return 0;
}

/* --- filing --- */

/* Where a message was imported from (crypto/record.h), or an empty span. */
static span_t origin_of(const struct record_meta *meta)
{
    return meta->kind == RECORD_APPEND ? meta->return_path : SPAN_NONE;
}

/* A record the vault does not have is never to be filed. */
static int give_up(struct vault *vault, uint64_t record)
{
    uint64_t id = 0;
    int result = vault_email_find_record(vault, record, &id);
    if (result == VAULT_NOT_FOUND)
        result = vault_outbox_add(vault, record);
    return result < 0 ? result : VAULT_EXISTS;
}

/* Of an import that broke off, the same message may have been made durable twice: the second is given up. */
static int drop_repeated(struct vault *vault, span_t origin, uint64_t record)
{
    int result = vault_origin_find(vault, origin);
    if (result != 0)
        return result == VAULT_NOT_FOUND ? 0 : result;
    return give_up(vault, record);
}

/* Where a delivery goes that names no mailbox: INBOX, or what the account has for junk. */
static int default_mailbox(struct vault *vault, const struct record_meta *meta, uint64_t *ret_mailbox)
{
    struct vault_mailbox junk;
    *ret_mailbox = VAULT_INBOX;
    if (meta->kind != RECORD_DELIVERY || !span_equal(meta->flags, SPAN(RECORD_FLAG_JUNK)))
        return 0;
    int result = vault_mailbox_find_role(vault, VAULT_ROLE_JUNK, &junk);
    if (result == 0)
        *ret_mailbox = junk.id;
    return result == VAULT_NOT_FOUND ? 0 : result;
}

static int file_one(struct session *session, const struct record_meta *meta, struct vault_new_email *email,
                    uint64_t *ret_id, struct vault_filed *ret_filed)
{
    /* What was delivered was saved as it arrived; what a client brings may be dated otherwise (RFC 8514 §1). */
    struct vault_filing filing = {.mailbox = meta->mailbox, .saved = meta->kind == RECORD_DELIVERY ? 0 : session_now()};
    int result = flags_use_text(session->vault, meta->flags, &filing.flags);
    if (result >= 0 && filing.mailbox == 0)
        result = default_mailbox(session->vault, meta, &filing.mailbox);
    if (result < 0)
        return result;
    email->filings = &filing;
    email->filing_count = 1;
    result = vault_email_add(session->vault, email, ret_id, ret_filed);
    if (result == VAULT_NOT_FOUND && filing.mailbox != VAULT_INBOX) {
        filing.mailbox = VAULT_INBOX;
        result = vault_email_add(session->vault, email, ret_id, ret_filed);
    }
    email->filings = NULL;
    email->filing_count = 0;
    return result;
}

int takein_file(struct session *session, const struct record_meta *meta, struct vault_new_email *email,
                struct vault_filed *ret_filed)
{
    span_t origin = origin_of(meta);
    uint64_t id = 0;
    uint64_t flags = 0;
    if (origin.len == 0)
        return file_one(session, meta, email, &id, ret_filed);
    int result = drop_repeated(session->vault, origin, email->place.record);
    if (result == 0)
        result = file_one(session, meta, email, &id, ret_filed);
    if (result == 0)
        result = flags_use_text(session->vault, meta->flags, &flags);
    return result == 0 ? vault_origin_add(session->vault, origin, id, flags) : result;
}

/* A message that APPEND has filed while the batch was read may have been expunged again, and its record given up: the
 * vault knows nothing of it any more. What was filed is noted until store is told, which comes after this. */
static bool was_filed(const struct session *session, uint64_t record)
{
    for (size_t i = 0; i < session->taken_count; i++)
        if (session->taken[i] == record)
            return true;
    return false;
}

/* Oldest first, so that UIDs rise with time inside a batch. */
static int file_all(struct batch *batch)
{
    for (size_t i = batch->count; i-- > 0;) {
        struct vault_filed filed;
        if (was_filed(batch->session, batch->entries[i].email.place.record))
            continue;
        struct entry *entry = &batch->entries[i];
        int result = entry->meta.kind == RECORD_TOGETHER
                         ? give_up(batch->session->vault, entry->email.place.record)
                         : takein_file(batch->session, &entry->meta, &entry->email, &filed);
        if (result < 0)
            return result;
        if (result > 0 && result != VAULT_EXISTS)
            return -EOVERFLOW; /* INBOX has used up its UIDs */
    }
    return 0;
}

static int commit(struct batch *batch)
{
    struct vault *vault = batch->session->vault;
    int result = vault_begin(vault, VAULT_DURABLE);
    if (result < 0)
        return result;
    result = file_all(batch);
    if (result == 0)
        result = vault_commit(vault);
    if (result < 0) {
        vault_rollback(vault);
        return result;
    }
    for (size_t i = 0; i < batch->count; i++)
        takein_note_taken(batch->session, batch->entries[i].email.place.record);
    batch->session->taken_in += batch->count;
    if (batch->count > 0)
        session_changed(batch->session);
    return 0;
}

/* --- reading --- */

enum { ROW_WAITS = 1 }; /* it is one of a group that is on its way: to be looked at again when that is over */

static int read_row(struct task *task, struct batch *batch, const struct pending_row *row, struct entry *entry)
{
    struct vault_place place = {
        .record = row->record, .segment = row->segment, .offset = row->offset, .length = row->length};
    AUTO(message) struct message *message = NULL;
    int result = message_open_pending(task, batch->session, &place, row->sealed_key, &message);
    if (result < 0)
        return result;
    const struct record_meta *meta = message_metadata(message);
    entry->meta = *meta;
    entry->email.place = place;
    if (meta->kind == RECORD_TOGETHER) /* append.h: the group has ended without it, if it has ended */
        return batch->session->together > 0 ? ROW_WAITS : 0;
    struct buf bytes AUTO_BUF;
    buf_init(&bytes, place.length);
    result = message_read(message, 0, message_len(message), &bytes);
    if (result == 0)
        result = index_message(buf_span(&bytes), vault_hash_key(batch->session->vault), batch->scratch, batch->keep,
                               &entry->email);
    if (result < 0)
        return result;
    entry->email.place = place;
    entry->email.received = (int64_t)meta->arrived;
    result = arena_copy(batch->keep, meta->flags, &entry->meta.flags);
    return result < 0 ? result : arena_copy(batch->keep, meta->return_path, &entry->meta.return_path);
}

/*
 * A damaged record stays pending, for there may be a backup to put it right; `waxwing check` lists it. A note in INBOX
 * says that something was there.
 */
static int note_unreadable(struct task *task, struct batch *batch, const struct pending_row *row, int fault)
{
    log_error("takein.unreadable", F_U64("record", row->record), F_FAULT(fault));
    if (fault == -ENOENT) /* else it was noted where it was read */
        damage_note(batch->session);
    int result = damaged_note_pending(task, batch->session, row);
    return result < 0 ? result : map_put(batch->unreadable, row->record, batch);
}

/* Rows are read in their order, up to a number of bytes. *ret_read says how many were dealt with. */
static int read_rows(struct task *task, struct batch *batch, span_t rows, size_t *ret_read)
{
    size_t bytes = 0;
    size_t turn = 0;
    size_t read = 0;
    for (; read < rows.len / PENDING_ROW_SIZE && bytes < BATCH_BYTES; read++) {
        struct pending_row row;
        uint64_t id = 0;
        pending_row_get(rows.at + read * PENDING_ROW_SIZE, &row);
        if (map_get(batch->unreadable, row.record) != NULL || append_holds(batch->session, row.record))
            continue;
        if (vault_email_find_record(batch->session->vault, row.record, &id) == 0 ||
            vault_outbox_find(batch->session->vault, row.record) == 0) {
            takein_note_taken(batch->session, row.record);
            continue;
        }
        if (read > 0 && bytes + row.length > BATCH_BYTES)
            break;
        int result = read_row(task, batch, &row, &batch->entries[batch->count]);
        if (result == -EBADMSG || result == -ENOENT)
            result = note_unreadable(task, batch, &row, result);
        else if (result == 0)
            batch->count++;
        bytes += row.length;
        turn += row.length;
        if (result == 0 && turn >= YIELD_BYTES) {
            turn = 0;
            result = task_yield(task);
        }
        if (result < 0)
            return result;
    }
    *ret_read = read;
    return 0;
}

/* --- rounds --- */

static int ask_pending(struct task *task, struct session *session, uint64_t before, struct ipc_message **ret_reply)
{
    struct channel *store = session_store(session);
    if (store == NULL)
        return -ENOTCONN;
    struct ipc_message request = {.type = IPC_pending, .pending = {.before = before, .limit = BATCH_ROWS}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, store, &request, SESSION_CALL_MS, &reply);
    if (result == 0 && reply->pending_done.outcome != 0)
        result = -(int)reply->pending_done.outcome;
    if (result == 0)
        *ret_reply = TAKE(reply);
    return result;
}

/* One batch; *before moves down behind what was dealt with, *ret_more says whether there is more below. */
static int take_batch(struct task *task, struct batch *batch, uint64_t *before, bool *ret_more)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = ask_pending(task, batch->session, *before, &reply);
    if (result < 0)
        return result;
    span_t rows = reply->pending_done.rows;
    size_t total = rows.len / PENDING_ROW_SIZE;
    size_t read = 0;
    batch->count = 0;
    arena_reset(batch->keep);
    result = read_rows(task, batch, span_upto(rows, (size_t)BATCH_ROWS * PENDING_ROW_SIZE), &read);
    if (result == 0 && batch->count > 0)
        result = commit(batch);
    if (result == 0)
        result = tell_taken(task, batch->session);
    if (result < 0)
        return result;
    if (!event_is_set(&batch->session->arrived))
        event_raise(&batch->session->current);
    if (read > 0)
        *before = bytes_get_u64(rows.at + (read - 1) * PENDING_ROW_SIZE);
    *ret_more = read > 0 && (read < total || reply->pending_done.more != 0);
    return 0;
}

/* Everything that is pending. What arrives meanwhile is newer than the rest, and comes first. */
static int take_all(struct task *task, struct batch *batch)
{
    bool more = true;
    uint64_t before = 0;
    while (more) {
        if (event_is_set(&batch->session->arrived)) {
            event_clear(&batch->session->arrived);
            before = 0;
        }
        int result = take_batch(task, batch, &before, &more);
        if (result < 0)
            return result;
    }
    return 0;
}

static int round_of(struct task *task, struct session *session, struct map *unreadable)
{
    AUTO_FREE struct entry *entries = mem_new_array(BATCH_ROWS, sizeof(*entries));
    AUTO(arena) struct arena *keep = NULL;
    AUTO(arena) struct arena *scratch = NULL;
    if (entries == NULL)
        return -ENOMEM;
    int result = arena_new(BATCH_ARENA_MAX, &keep);
    if (result == 0)
        result = arena_new(MIME_ARENA_MAX, &scratch);
    if (result < 0)
        return result;
    struct batch batch = {
        .session = session, .keep = keep, .scratch = scratch, .entries = entries, .unreadable = unreadable};
    return take_all(task, &batch);
}

/*
 * A lone message waits for nothing. Of a stream, what comes within a second shares one commit, as each writes every
 * page it touches as a whole; unless a client asks, or so much has come that the commit is a large one in any case.
 */
static int breathe(struct task *task, struct session *session)
{
    int result = -ETIMEDOUT;
    session->announced = 0;
    for (unsigned breath = 0; breath < BREATHS_MAX && session->announced < CROWD && result == -ETIMEDOUT; breath++)
        result = event_wait(task, &session->hurry, BREATH_MS);
    event_clear(&session->hurry);
    return result == -ETIMEDOUT ? 0 : result;
}

/* What was expunged before the last end but is still pending must be released before it could be taken in anew. */
static int one_round(struct task *task, struct session *session, struct map *unreadable, bool *released)
{
    int result = quiet_hold(session);
    if (result < 0)
        return result;
    if (!*released)
        result = release_flush(task, session);
    if (result == 0) {
        *released = true;
        event_clear(&session->arrived);
        result = round_of(task, session, unreadable);
    }
    quiet_let_go(session);
    return result;
}

static void run(struct task *task, void *arg)
{
    struct session *session = arg;
    AUTO(map) struct map *unreadable = NULL;
    bool released = false;
    int result = map_new(&unreadable);
    while (result != -ECANCELED) {
        result = event_wait(task, &session->arrived, FOREVER);
        if (result < 0)
            break;
        result = one_round(task, session, unreadable, &released);
        if (result == 0)
            result = breathe(task, session);
        if (result < 0 && result != -ECANCELED) {
            log_warn("takein.failed", F_FAULT(result));
            event_raise(&session->arrived);
            event_raise(&session->current);
            result = task_sleep(task, RETRY_MS);
        }
    }
}

void takein_note_arrived(struct session *session)
{
    session->announced++;
    event_clear(&session->current);
    event_raise(&session->arrived);
}

int takein_wait(struct task *task, struct session *session)
{
    if (!event_is_set(&session->current))
        event_raise(&session->hurry);
    int result = event_wait(task, &session->current, PATIENCE_MS);
    return result == -ETIMEDOUT ? 0 : result;
}

int takein_start(struct session *session)
{
    takein_note_arrived(session);
    return task_group_spawn(&session->tasks, session->loop, "takein", run, session);
}
