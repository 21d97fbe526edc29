#include <errno.h>

#include "base/log.h"
#include "ipc/parcel.h"
#include "role/courier/courier-state.h"

#define REMOTE_MAX 65536U
#define DELIVER_MS 300000

/* What somebody else has signed cannot be signed again by us: mail that is sent on stays as it is. */
static bool is_ours(const struct work *work, const size_t *which, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (work->envelope.account == 0 && (work->recipients[which[i]].notify & ENVELOPE_FORWARD) != 0)
            return false;
    return true;
}

static int write_rows(const struct work *work, const size_t *which, size_t count, struct buf *rows)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = envelope_recipient_write(&work->recipients[which[i]], rows);
    return result;
}

static uint32_t flags_of(uint32_t flags)
{
    static const struct {
        enum envelope_flag from;
        enum deliver_flag to;
    } rows[] = {{ENVELOPE_UTF8, DELIVER_UTF8},
                {ENVELOPE_RETURN_FULL, DELIVER_RETURN_FULL},
                {ENVELOPE_RETURN_HEADERS, DELIVER_RETURN_HEADERS},
                {ENVELOPE_REQUIRE_TLS, DELIVER_REQUIRE_TLS},
                {ENVELOPE_TLS_OPTIONAL, DELIVER_TLS_OPTIONAL}};
    uint32_t result = (uint32_t)DELIVER_REPORT | (uint32_t)DELIVER_SEVENBIT;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        result |= (flags & (uint32_t)rows[i].from) != 0 ? (uint32_t)rows[i].to : 0U;
    return result;
}

static int call_intake(struct task *task, struct courier *courier, const struct work *work, span_t rows, span_t message)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    uint8_t queue[RECIPIENT_ROW_SIZE];
    const struct recipient_row row = {.account = QUEUE_ACCOUNT, .public_key = courier->queue_public};
    struct channel *intake = wiring_any(courier->wiring, ROLE_INTAKE);
    recipient_row_put(queue, &row);
    struct ipc_message request = {.type = IPC_deliver,
                                  .deliver = {.flags = flags_of(work->envelope.flags),
                                              .account = work->envelope.account,
                                              .sender = work->envelope.sender,
                                              .recipients = span_of(queue, sizeof(queue)),
                                              .remote = rows,
                                              .envid = work->envelope.envid}};
    if (intake == NULL)
        return -ENOTCONN;
    int result = parcel_call(task, intake, &request, &request.deliver.content, message, DELIVER_MS, &reply);
    if (result < 0)
        return result;
    uint32_t outcome = reply->delivered.outcome;
    if (outcome == DELIVER_REFUSED || outcome == DELIVER_TOO_LARGE || outcome == DELIVER_LOOP)
        return CONVERT_IMPOSSIBLE;
    return outcome == DELIVER_OK ? (int)CONVERT_DONE : -EAGAIN;
}

int convert_message(struct task *task, struct courier *courier, struct work *work, const size_t *which, size_t count)
{
    AUTO_BUF struct buf rows;
    AUTO_BUF struct buf message;
    buf_init(&rows, REMOTE_MAX);
    buf_init(&message, courier->conf->smtp_message_max * 2);
    if (!is_ours(work, which, count))
        return CONVERT_IMPOSSIBLE;
    int result = write_rows(work, which, count, &rows);
    while (result == 0 && !event_is_set(&courier->converted))
        result = event_wait(task, &courier->converted, FOREVER);
    if (result != 0)
        return result;
    event_clear(&courier->converted);
    result = work_read(work, 0, work_message_len(work), &message);
    if (result == 0)
        result = call_intake(task, courier, work, buf_span(&rows), buf_span(&message));
    event_raise(&courier->converted);
    log_info("courier.converted", F_U64("record", work->entry->message.record), F_INT("result", result));
    return result;
}
