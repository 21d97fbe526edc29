#include <errno.h>
#include <string.h>

#include "ipc/parcel.h"
#include "role/courier/courier-state.h"

/* What courier itself keeps in the log, sealed to the queue as its messages are. */

static int need_sender(struct courier *courier)
{
    if (courier->sender != NULL)
        return 0;
    int result = record_sender_new(&courier->sender);
    if (result == 0)
        timer_start(courier->sender_end, RECORD_SENDER_MS);
    return result;
}

static int seal(struct courier *courier, enum record_kind kind, span_t bytes, struct buf *sealed,
                uint8_t row[KEY_ROW_SIZE])
{
    const struct record_meta meta = {.kind = kind, .arrived = (uint64_t)courier_seconds() * 1000000};
    AUTO(secret) struct secret *key = NULL;
    uint8_t sealed_key[RECORD_SEALED_KEY_LEN];
    int result = record_seal(&meta, bytes, sealed, &key);
    if (result == 0)
        result = need_sender(courier);
    if (result == 0)
        result = record_key_seal(courier->sender, key, courier->queue_public, sealed_key);
    if (result != 0)
        return result;
    const struct key_row queue = {.account = QUEUE_ACCOUNT, .sealed_key = sealed_key};
    key_row_put(row, &queue);
    return 0;
}

static int call_store(struct task *task, struct courier *courier, struct ipc_message *request, span_t bytes,
                      struct ipc_message **ret_reply)
{
    struct channel *store = wiring_peer(courier->wiring, ROLE_STORE, 0);
    if (store == NULL)
        return -ENOTCONN;
    return parcel_call(task, store, request, &request->append.content, bytes, COURIER_CALL_MS, ret_reply);
}

int record_append(struct task *task, struct courier *courier, enum record_kind kind, span_t bytes,
                  struct place *ret_place)
{
    AUTO_BUF struct buf sealed;
    uint8_t row[KEY_ROW_SIZE];
    buf_init(&sealed, 2U * NOTE_MAX + 4096);
    int result = seal(courier, kind, bytes, &sealed, row);
    if (result != 0)
        return result;
    struct ipc_message request = {.type = IPC_append,
                                  .append = {.length = buf_len(&sealed), .recipients = span_of(row, sizeof(row))}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    result = call_store(task, courier, &request, buf_span(&sealed), &reply);
    if (result < 0)
        return result;
    if (reply->appended.outcome != APPEND_OK)
        return reply->appended.outcome == APPEND_FULL ? -ENOSPC : -EIO;
    *ret_place = (struct place){.record = reply->appended.record,
                                .segment = reply->appended.segment,
                                .offset = reply->appended.offset,
                                .length = buf_len(&sealed)};
    memcpy(ret_place->key, row + 8, sizeof(ret_place->key));
    return 0;
}
