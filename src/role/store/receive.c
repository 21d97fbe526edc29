#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/body.h"
#include "role/store/store-state.h"

struct receipt {
    struct store *store;
    struct channel *channel;
    struct ipc_message *message;
    uint64_t from; /* account of the session it came from, or 0 */
    uint8_t *body; /* NULL where it came in the message */
    span_t bytes;
    uint64_t held;
    struct event answered;
    enum append_outcome outcome;
    struct journal_append append;
};

static void receipt_free(struct receipt *receipt)
{
    if (receipt == NULL)
        return;
    receipt->store->held -= receipt->held;
    if (receipt->held > 0)
        event_pulse(&receipt->store->room);
    free(receipt->body);
    ipc_message_free(receipt->message);
    channel_unref(receipt->channel);
    free(receipt);
}

SCOPE_OF(receipt)

/* 0; APPEND_FULL where there is no room for long. */
static int hold(struct task *task, struct receipt *receipt)
{
    struct store *store = receipt->store;
    uint64_t length = receipt->message->append.length;
    if (length == 0 || length > store->held_max)
        return APPEND_FULL;
    while (store->held + length > store->held_max) {
        int result = event_wait(task, &store->room, STORE_ROOM_WAIT);
        if (result != 0)
            return result == -ETIMEDOUT ? APPEND_FULL : result;
    }
    if (receipt->message->append.content.len == 0) {
        receipt->body = mem_resize(NULL, length + 1); /* into the last byte goes what would be too much */
        if (receipt->body == NULL)
            return APPEND_FULL;
    }
    store->held += length;
    receipt->held = length;
    return 0;
}

/* -ECONNABORTED where the sender gave up, -EBADMSG where the length is not what was said. */
static int body_take(struct task *task, struct receipt *receipt)
{
    receipt->bytes = receipt->message->append.content;
    if (receipt->bytes.len > 0)
        return receipt->bytes.len == receipt->held ? 0 : -EBADMSG;
    receipt->bytes = span_of(receipt->body, receipt->held);
    AUTO(body_reader) struct body_reader *reader = NULL;
    int result = body_reader_new(receipt->store->loop, ipc_message_take_fd(receipt->message, 0), &reader);
    if (result != 0)
        return result;
    for (uint64_t have = 0;;) {
        size_t len = 0;
        result = body_read(task, reader, receipt->body + have, receipt->held + 1 - have, STORE_BODY_WAIT, &len);
        if (result == BODY_COMPLETE)
            return have == receipt->held ? 0 : -EBADMSG;
        if (result != BODY_DATA)
            return result == BODY_ABORTED ? -ECONNABORTED : result;
        have += len;
        if (have > receipt->held)
            return -EBADMSG;
    }
}

static void on_done(struct journal_append *append, enum append_outcome outcome)
{
    struct receipt *receipt = append->owner;
    receipt->outcome = outcome;
    if (outcome == APPEND_OK)
        store_announce_note(receipt->store, append->recipients, receipt->from);
    event_raise(&receipt->answered);
}

static uint64_t now_micros(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int append(struct task *task, struct receipt *receipt)
{
    receipt->append = (struct journal_append){
        .recipients = receipt->message->append.recipients,
        .body = receipt->bytes,
        .arrival = now_micros(),
        .done = on_done,
        .owner = receipt,
    };
    journal_queue(receipt->store->journal, &receipt->append);
    event_raise(&receipt->store->work);
    int result = event_wait(task, &receipt->answered, FOREVER);
    list_remove(&receipt->append.link);
    return result != 0 ? result : (int)receipt->outcome;
}

static void receive_task(struct task *task, void *arg)
{
    AUTO(receipt) struct receipt *receipt = arg;
    int result = hold(task, receipt);
    if (result == 0)
        result = body_take(task, receipt);
    if (result == 0)
        result = append(task, receipt);
    if (result < 0) {
        log_debug("store.append.dropped", F_FAULT(result));
        result = APPEND_FAILED;
    }
    struct ipc_message reply = {.type = IPC_appended,
                                .appended = {.outcome = (uint32_t)result,
                                             .record = receipt->append.record,
                                             .segment = receipt->append.segment,
                                             .offset = receipt->append.offset}};
    result = channel_reply(receipt->channel, receipt->message->call, &reply);
    if (result != 0)
        log_debug("store.append.unheard", F_FAULT(result));
}

/* A session appends for its own account and no other, courier for the queue. */
static bool may_append(struct channel *channel, const struct ipc_append *append)
{
    size_t count = append->recipients.len / KEY_ROW_SIZE;
    if (count == 0 || count > RECORD_RECIPIENTS_MAX || append->recipients.len % KEY_ROW_SIZE != 0)
        return false;
    return channel_peer(channel) == ROLE_INTAKE ||
           (count == 1 && bytes_get_u64(append->recipients.at) == store_account_of(channel));
}

void store_receive(struct store *store, struct channel *channel, struct ipc_message *message)
{
    AUTO(ipc_message) struct ipc_message *owned = message;
    bool is_sound = (message->fd_count == 1) == (message->append.content.len == 0);
    if (!is_sound || !may_append(channel, &message->append)) {
        log_error("store.append.refused", F_TEXT("peer", ipc_role_name(channel_peer(channel))));
        channel_close(channel);
        return;
    }
    struct receipt *receipt = mem_new(sizeof(*receipt));
    int result = receipt != NULL ? 0 : -ENOMEM;
    if (result == 0) {
        *receipt = (struct receipt){.store = store, .channel = channel_ref(channel), .message = TAKE(owned)};
        receipt->from = channel_peer(channel) == ROLE_INTAKE ? 0 : store_account_of(channel);
        event_init(&receipt->answered);
        result = task_group_spawn(&store->tasks, store->loop, "store.append", receive_task, receipt);
    }
    if (result == 0)
        return;
    struct ipc_message reply = {.type = IPC_appended, .appended = {.outcome = APPEND_FULL}};
    result = channel_reply(channel, message->call, &reply);
    if (result != 0)
        log_debug("store.append.unheard", F_FAULT(result));
    receipt_free(receipt);
}

/*
 * What becomes complete while one group is synced is the next group. One turn of the loop is given to those whose last
 * bytes are in their sockets already.
 */
void store_commit_task(struct task *task, void *arg)
{
    struct store *store = arg;
    for (;;) {
        int result = event_wait(task, &store->work, FOREVER);
        event_clear(&store->work);
        if (result == 0)
            result = store->sync_delay > 0 ? task_sleep(task, store->sync_delay) : task_yield(task);
        if (result == 0) {
            journal_commit(store->journal);
            store_announce_send(store);
        }
        store_look(store);
        if (result != 0)
            return;
    }
}
