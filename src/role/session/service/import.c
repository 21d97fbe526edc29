#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/session/append.h"
#include "role/session/flags.h"
#include "role/session/notices.h"
#include "role/session/service/service.h"
#include "role/session/takein.h"
#include "rt/event.h"
#include "vault/mailbox.h"
#include "vault/origin.h"

/*
 * Mail from the command line. Each message is sealed and made durable by a task of its own, so that many share store's
 * syncs; what is durable is then filed in the order it came, a batch in one commit, each with its origin. After a crash
 * in between it is pending, and is taken in with its origin like anything that has arrived.
 */
enum { IMPORT_FULL = 100 }; /* beside the vault's outcomes */

#define BATCH_MESSAGES 256U
#define BATCH_BYTES (8U << 20) /* of messages, after which a batch is filed */
#define RUNNING_MAX 32U
#define CURRENT_ROUNDS 120U /* of a second, until what has arrived is taken in */

struct slot {
    struct import *import;
    struct buf message;
    struct buf flags;
    struct arena *keep;
    uint8_t origin[TRANSFER_ORIGIN_SIZE];
    struct append append;
    struct append_stored stored;
    bool is_stored;
};

struct import {
    struct task *task;
    struct service *service;
    struct session *session;
    struct task_group storing;
    size_t running;
    struct event ended; /* pulsed as one of them ends */
    struct slot *slots;
    size_t count;
    uint64_t bytes;   /* of the batch */
    uint64_t room;    /* what the quota left as it began */
    uint64_t missing; /* of the message that is coming */
    uint64_t filed;
    uint64_t followed; /* known messages that got other flags */
    int fault;         /* the first of the tasks' */
    bool again;
    uint64_t mailbox; /* the one found last, and its name */
    struct buf mailbox_name;
};

/* --- storing --- */

static int outcome_fault(int result)
{
    return result == APPEND_DISK_FULL ? -ENOSPC : result == APPEND_STORE_AWAY ? -ENOTCONN : result;
}

static void store(struct task *task, void *arg)
{
    struct slot *slot = arg;
    struct import *import = slot->import;
    int result = append_store(task, import->session, &slot->append, slot->keep, &slot->stored);
    if (result == 0)
        result = append_hold(import->session, slot->stored.email.place.record);
    slot->is_stored = result == 0;
    if (result != 0 && import->fault == 0)
        import->fault = outcome_fault(result);
    buf_deinit(&slot->message);
    import->running--;
    event_pulse(&import->ended);
}

static int begin_storing(struct import *import)
{
    struct slot *slot = &import->slots[import->count];
    int result = arena_new(APPEND_KEEP_MAX, &slot->keep);
    while (result == 0 && import->running >= RUNNING_MAX)
        result = event_wait(import->task, &import->ended, FOREVER);
    if (result < 0)
        return result;
    slot->append.message = buf_span(&slot->message);
    slot->append.flags = buf_span(&slot->flags);
    import->count++;
    import->bytes += buf_len(&slot->message);
    result = task_group_spawn(&import->storing, import->session->loop, "import", store, slot);
    if (result == 0)
        import->running++;
    return result;
}

/* --- filing --- */

static int file_stored(struct import *import)
{
    struct session *session = import->session;
    int result = vault_begin(session->vault, VAULT_DURABLE);
    if (result < 0)
        return result;
    for (size_t i = 0; result >= 0 && i < import->count; i++) {
        struct slot *slot = &import->slots[i];
        struct vault_filed filed;
        result = slot->is_stored ? takein_file(session, &slot->stored.meta, &slot->stored.email, &filed) : 0;
        if (result > 0 && result != VAULT_EXISTS)
            result = -EOVERFLOW;
    }
    if (result >= 0)
        result = vault_commit(session->vault);
    if (result < 0)
        vault_rollback(session->vault);
    return result;
}

static void let_go(struct import *import, bool is_filed)
{
    for (size_t i = 0; i < import->count; i++) {
        struct slot *slot = &import->slots[i];
        uint64_t record = slot->stored.email.place.record;
        if (slot->is_stored) {
            append_let_go(import->session, record);
            if (is_filed)
                takein_note_taken(import->session, record);
            import->filed += is_filed;
        }
        buf_deinit(&slot->message);
        buf_deinit(&slot->flags);
        arena_free(slot->keep);
        *slot = (struct slot){.import = import};
    }
    import->count = 0;
    import->bytes = 0;
}

/* What could be made durable is filed even where the rest could not. */
static int file_batch(struct import *import)
{
    task_group_wait(import->task, &import->storing);
    int result = task_is_cancelled(import->task) ? -ECANCELED : 0;
    if (result == 0 && import->count > 0)
        result = file_stored(import);
    let_go(import, result == 0);
    takein_note_arrived(import->session);
    if (result == 0)
        session_changed(import->session);
    return result == 0 ? import->fault : result;
}

/* --- what the tool says --- */

static int find_mailbox(struct import *import, span_t name)
{
    struct vault *vault = import->session->vault;
    struct vault_mailbox mailbox = {.id = 0};
    uint64_t id = 0;
    if (import->mailbox != 0 && span_equal(name, buf_span(&import->mailbox_name)))
        return 0;
    import->mailbox = 0;
    int result = vault_mailbox_find(vault, name, &mailbox);
    if (result == 0 && mailbox.selectable)
        id = mailbox.id;
    else if (result == VAULT_NOT_FOUND || result == 0)
        result = vault_mailbox_create(vault, name, session_now_seconds(), &id);
    if (result == 0 && id != mailbox.id) {
        result = vault_subscribe(vault, name);
        notices_add(import->session, &(struct notice){.kind = NOTICE_NAME, .name = name});
        session_changed(import->session);
    }
    if (result != 0)
        return result;
    buf_clear(&import->mailbox_name);
    result = buf_append(&import->mailbox_name, name);
    import->mailbox = result == 0 ? id : 0;
    return result;
}

static int on_ask(struct import *import, const struct transfer *ask)
{
    uint8_t known[TRANSFER_ASK_MAX];
    size_t count = ask->bytes.len / TRANSFER_ORIGIN_SIZE;
    if (count > TRANSFER_ASK_MAX || ask->bytes.len % TRANSFER_ORIGIN_SIZE != 0)
        return -EBADMSG;
    for (size_t i = 0; i < count; i++) {
        span_t origin = span_slice(ask->bytes, i * TRANSFER_ORIGIN_SIZE, TRANSFER_ORIGIN_SIZE);
        int result = import->again ? VAULT_NOT_FOUND : vault_origin_find(import->session->vault, origin);
        if (result < 0)
            return result;
        known[i] = result == 0;
    }
    struct transfer answer = {.kind = TRANSFER_KNOWN, .bytes = span_of(known, count)};
    int result = service_say(import->task, import->service, &answer);
    return result < 0 ? result : service_flush(import->task, import->service);
}

/* Nothing that could not be said again is lost where it is lost. */
static int on_flags(struct import *import, const struct transfer *known)
{
    struct vault *vault = import->session->vault;
    uint64_t flags = 0;
    bool is_changed = false;
    if (known->origin.len != TRANSFER_ORIGIN_SIZE)
        return -EBADMSG;
    int result = vault_begin(vault, VAULT_RELAXED);
    if (result < 0)
        return result;
    result = flags_use_text(vault, known->flags, &flags);
    if (result == 0)
        result = vault_origin_follow(vault, known->origin, flags, &is_changed);
    if (result == 0)
        result = vault_commit(vault);
    else
        vault_rollback(vault);
    if (result == 0 && is_changed) {
        import->followed++;
        session_changed(import->session);
    }
    return result < 0 ? result : 0;
}

/* With --again an origin that is known says nothing: its message is wanted once more. */
static int note_origin(struct import *import, struct slot *slot, span_t origin)
{
    int result = import->again ? vault_origin_find(import->session->vault, origin) : VAULT_NOT_FOUND;
    if (result < 0 || origin.len != TRANSFER_ORIGIN_SIZE)
        return result < 0 ? result : -EBADMSG;
    if (result == 0)
        return 0;
    memcpy(slot->origin, origin.at, sizeof(slot->origin));
    slot->append.origin = span_of(slot->origin, sizeof(slot->origin));
    return 0;
}

/* Has the account room for that much more (RFC 9208 §4.3)? 0 or IMPORT_FULL. */
static int check_quota(struct import *import, uint64_t size)
{
    const struct session *session = import->session;
    uint64_t count = 0;
    uint64_t used = 0;
    if (session->quota == 0)
        return 0;
    if (import->count == 0) {
        int result = vault_mailbox_usage(session->vault, &count, &used);
        if (result < 0)
            return result;
        import->room = used < session->quota ? session->quota - used : 0;
    }
    return import->bytes + size <= import->room ? 0 : IMPORT_FULL;
}

static int on_head(struct import *import, const struct transfer *head)
{
    struct slot *slot = &import->slots[import->count];
    if (import->missing > 0 || head->size == 0 || head->size > TRANSFER_MESSAGE_MAX)
        return -EBADMSG;
    int result = check_quota(import, head->size);
    if (result == 0)
        result = find_mailbox(import, head->mailbox);
    if (result != 0)
        return result;
    *slot = (struct slot){.import = import, .append = {.mailbox = import->mailbox, .received = head->received}};
    buf_init(&slot->message, head->size);
    buf_init(&slot->flags, RECORD_FLAGS_MAX);
    result = note_origin(import, slot, head->origin);
    if (result == 0)
        result = buf_append(&slot->flags, head->flags);
    import->missing = result == 0 ? head->size : 0;
    return result;
}

static int on_data(struct import *import, const struct transfer *data)
{
    struct slot *slot = &import->slots[import->count];
    if (data->bytes.len > import->missing)
        return -EBADMSG;
    int result = buf_append(&slot->message, data->bytes);
    import->missing -= data->bytes.len;
    if (result == 0 && import->missing == 0 && data->bytes.len > 0)
        result = begin_storing(import);
    if (result == 0 && (import->count == BATCH_MESSAGES || import->bytes >= BATCH_BYTES))
        result = file_batch(import);
    return result;
}

static int on_sync(struct import *import)
{
    if (import->missing > 0)
        return -EBADMSG;
    int result = file_batch(import);
    struct transfer done = {.kind = TRANSFER_DONE, .size = import->filed, .id = import->followed};
    if (result == 0)
        result = service_say(import->task, import->service, &done);
    return result < 0 ? result : service_flush(import->task, import->service);
}

static int hear(struct import *import, bool *ret_ended)
{
    struct transfer heard = {.size = 0};
    int result = service_hear(import->task, import->service, &heard);
    if (result < 0)
        return result;
    switch (heard.kind) {
    case TRANSFER_ASK:
        return on_ask(import, &heard);
    case TRANSFER_FOLDER:
        return find_mailbox(import, heard.mailbox);
    case TRANSFER_HEAD:
        return on_head(import, &heard);
    case TRANSFER_DATA:
        return on_data(import, &heard);
    case TRANSFER_SYNC:
        return on_sync(import);
    case TRANSFER_END:
        *ret_ended = true;
        return on_sync(import);
    case TRANSFER_FLAGS:
        return on_flags(import, &heard);
    case TRANSFER_KNOWN:
    case TRANSFER_DONE:
    case TRANSFER_LOST:
    case TRANSFER_KINDS:
        break;
    }
    return -EBADMSG;
}

/* --- the whole of it --- */

/* What an import that broke off has left pending must be known before the first question. */
static int wait_current(struct import *import)
{
    struct session *session = import->session;
    int result = takein_wait(import->task, session);
    for (unsigned round = 0; result == 0 && !event_is_set(&session->current) && round < CURRENT_ROUNDS; round++)
        result = takein_wait(import->task, session);
    return result;
}

static int check_room(const struct import *import)
{
    uint64_t count = 0;
    int result = vault_origin_count(import->session->vault, &count);
    return result == 0 && count >= VAULT_ORIGINS_MAX ? -ENOBUFS : result;
}

static int begin(struct import *import)
{
    import->slots = mem_new_array(BATCH_MESSAGES, sizeof(*import->slots));
    int result = import->slots == NULL ? -ENOMEM : 0;
    if (result == 0)
        result = wait_current(import);
    return result == 0 ? check_room(import) : result;
}

static int refuse(struct import *import, int outcome)
{
    const char *why = "a folder has a name that is not allowed here";
    if (outcome == VAULT_LIMIT)
        why = "the account has as many folders as it may, or a folder's name is too long";
    else if (outcome == IMPORT_FULL)
        why = "the account's quota has no room for more";
    return service_refuse(import->service, why);
}

static void end(struct import *import)
{
    task_group_cancel(&import->storing);
    task_group_wait(import->task, &import->storing);
    if (import->slots != NULL) {
        if (import->missing > 0)
            import->count++;
        let_go(import, false);
    }
    takein_note_arrived(import->session);
    buf_deinit(&import->mailbox_name);
    free(import->slots);
}

int service_import(struct task *task, struct service *service)
{
    bool is_over = false;
    struct import import = {.task = task,
                            .service = service,
                            .session = service->session,
                            .again = service_has_word(service, SPAN("--again"))};
    task_group_init(&import.storing);
    event_init(&import.ended);
    buf_init(&import.mailbox_name, VAULT_NAME_MAX);
    int result = begin(&import);
    while (result == 0 && !is_over)
        result = hear(&import, &is_over);
    if (result > 0) {
        int filed = file_batch(&import);
        result = filed < 0 ? filed : refuse(&import, result);
    }
    log_info("import.ended", F_U64("messages", import.filed), F_INT("result", result));
    end(&import);
    return result;
}
