#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/store/store-state.h"

/* Each row costs a read of a head; a session that wants more asks again. */
#define LIST_MAX 512U
#define ROWS_MAX 131072U

uint64_t store_account_of(const struct channel *channel)
{
    return channel_peer(channel) == ROLE_COURIER ? QUEUE_ACCOUNT : channel_tag(channel);
}

static void reply_done(struct channel *channel, uint64_t call, int result)
{
    struct ipc_message reply = {.type = IPC_done, .done = {.outcome = (uint32_t)(result < 0 ? -result : 0)}};
    int sent = channel_reply(channel, call, &reply);
    if (sent != 0)
        log_debug("store.answer.unheard", F_FAULT(sent));
}

static void on_pending(struct store *store, struct channel *channel, struct ipc_message *message)
{
    AUTO_BUF struct buf rows;
    buf_init(&rows, ROWS_MAX);
    uint32_t limit = message->pending.limit < LIST_MAX ? message->pending.limit : LIST_MAX;
    bool more = false;
    int result = journal_pending(store->journal, store_account_of(channel), message->pending.before,
                                 limit > 0 ? limit : 1, &rows, &more);
    store_look(store);
    struct ipc_message reply = {.type = IPC_pending_done,
                                .pending_done = {.more = more ? 1 : 0, .rows = buf_span(&rows)}};
    if (result != 0) {
        log_error("store.pending.failed", F_FAULT(result));
        reply.pending_done = (struct ipc_pending_done){.outcome = (uint32_t)-result};
    }
    result = channel_reply(channel, message->call, &reply);
    if (result != 0)
        log_debug("store.answer.unheard", F_FAULT(result));
}

static int records_read(span_t bytes, uint64_t **ret_records, size_t *ret_count)
{
    size_t count = bytes.len / 8;
    if (bytes.len % 8 != 0)
        return -EBADMSG;
    uint64_t *records = mem_new_array(count + 1, sizeof(*records));
    if (records == NULL)
        return -ENOMEM;
    for (size_t at = 0; at < count; at++)
        records[at] = bytes_get_u64(bytes.at + at * 8);
    *ret_records = records;
    *ret_count = count;
    return 0;
}

static int newest_first(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one;
    uint64_t b = *(const uint64_t *)other;
    return (a < b) - (a > b);
}

static void on_taken(struct store *store, struct channel *channel, struct ipc_message *message)
{
    AUTO_FREE uint64_t *records = NULL;
    size_t count = 0;
    int result = records_read(message->taken.records, &records, &count);
    if (result == 0)
        qsort(records, count, sizeof(*records), newest_first);
    if (result == 0)
        result = journal_taken(store->journal, store_account_of(channel), records, count);
    reply_done(channel, message->call, result);
}

static void on_release(struct store *store, struct channel *channel, struct ipc_message *message)
{
    AUTO_FREE uint64_t *records = NULL;
    size_t count = 0;
    int result = records_read(message->release.records, &records, &count);
    if (result == 0)
        result = journal_release(store->journal, store_account_of(channel), records, count);
    if (result != 0)
        log_error("store.release.failed", F_FAULT(result));
    store_look(store);
    reply_done(channel, message->call, result);
}

static void on_segment(struct store *store, struct channel *channel, struct ipc_message *message)
{
    int fd = journal_open_read(store->journal, message->segment.segment);
    struct ipc_message reply = {.type = IPC_segment_opened,
                                .segment_opened = {.outcome = (uint32_t)(fd < 0 ? -fd : 0)},
                                .fd_count = fd < 0 ? 0 : 1,
                                .fds = {fd}};
    int result = channel_reply(channel, message->call, &reply);
    if (result != 0)
        log_debug("store.answer.unheard", F_FAULT(result));
}

void store_answer(struct store *store, struct channel *channel, struct ipc_message *message)
{
    static void (*const answers[IPC_TYPE_COUNT])(struct store *, struct channel *, struct ipc_message *) = {
        [IPC_pending] = on_pending,
        [IPC_taken] = on_taken,
        [IPC_release] = on_release,
        [IPC_segment] = on_segment,
    };
    if (message->type == IPC_append) {
        store_receive(store, channel, message);
        return;
    }
    AUTO(ipc_message) struct ipc_message *owned = message;
    if (answers[message->type] == NULL) {
        log_error("store.message.unexpected", F_TEXT("type", ipc_type_name(message->type)));
        channel_close(channel);
        return;
    }
    struct channel *held = channel_ref(channel);
    answers[owned->type](store, held, owned);
    channel_unref(held);
}
