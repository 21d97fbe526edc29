#include <errno.h>

#include "base/bytes.h"
#include "base/log.h"
#include "role/courier/courier-state.h"

/*
 * What is over is said to store, which marks it durably: all that became so while it was busy with the last lot shares
 * one sync. Until then a crash would send a message again that its server has taken; this is the window nobody can
 * close (RFC 5321 §6.1), and it is one sync wide. So nothing more is sent while store does not answer, or while many
 * wait for it.
 */
#define LOT 4096U
#define RETRY_MS 100
#define UNSETTLED_MAX 128U

void settle_record(struct courier *courier, uint64_t record)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, record);
    if (record == 0)
        return;
    if (buf_append(&courier->over, span_of(bytes, sizeof(bytes))) < 0)
        log_error("courier.settle.lost"); /* it is found in the queue again */
    event_raise(&courier->settling);
}

static bool is_behind(const struct courier *courier)
{
    return courier->is_unsettled || buf_len(&courier->over) >= (size_t)UNSETTLED_MAX * 8;
}

int settle_wait(struct task *task, struct courier *courier)
{
    int result = 0;
    while (result == 0 && is_behind(courier))
        result = event_wait(task, &courier->settled, FOREVER);
    return result;
}

static int settle_some(struct task *task, struct courier *courier)
{
    struct channel *store = wiring_peer(courier->wiring, ROLE_STORE, 0);
    span_t records = span_upto(buf_span(&courier->over), (size_t)LOT * 8);
    if (store == NULL)
        return -ENOTCONN;
    struct ipc_message request = {.type = IPC_release, .release = {.records = records}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, store, &request, COURIER_CALL_MS, &reply);
    if (result == 0 && reply->done.outcome != 0)
        result = -(int)reply->done.outcome;
    courier->is_unsettled = result != 0;
    if (result == 0) {
        buf_consume(&courier->over, records.len);
        event_pulse(&courier->settled);
    }
    return result;
}

void settle_task(struct task *task, void *arg)
{
    struct courier *courier = arg;
    int result = 0;
    while (result != -ECANCELED) {
        result = event_wait(task, &courier->settling, FOREVER);
        while (result == 0 && buf_len(&courier->over) > 0)
            result = settle_some(task, courier);
        if (result == 0) {
            buf_release(&courier->over);
            event_clear(&courier->settling);
        } else if (result != -ECANCELED) {
            log_warn("courier.settle.failed", F_FAULT(result));
            result = task_sleep(task, RETRY_MS);
        }
    }
}
