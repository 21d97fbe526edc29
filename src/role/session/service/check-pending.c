#include <errno.h>

#include "base/bytes.h"
#include "role/session/service/check.h"
#include "role/session/message.h"
#include "role/session/takein.h"
#include "vault/outbox.h"

#define ROWS 256U

static int ask(struct check *check, uint64_t before, uint32_t limit, struct ipc_message **ret_reply)
{
    struct channel *store = session_store(check->session);
    struct ipc_message request = {.type = IPC_pending, .pending = {.before = before, .limit = limit}};
    if (store == NULL)
        return -ENOTCONN;
    int result = channel_call_within(check->task, store, &request, SESSION_CALL_MS, ret_reply);
    if (result < 0)
        return result == -EPIPE ? -ENOTCONN : result;
    return -(int)(*ret_reply)->pending_done.outcome;
}

/* It may have been taken in, expunged and given up since it was listed. */
static int is_still_pending(struct check *check, uint64_t record, bool *ret_is)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = ask(check, record + 1, 1, &reply);
    if (result < 0)
        return result;
    span_t rows = reply->pending_done.rows;
    *ret_is = rows.len >= PENDING_ROW_SIZE && bytes_get_u64(rows.at) == record;
    return 0;
}

static int report(struct check *check, const struct pending_row *row)
{
    bool is_pending = false;
    int result = is_still_pending(check, row->record, &is_pending);
    if (result < 0 || !is_pending)
        return result;
    if (check->repair)
        result = check_replace_pending(check, row);
    if (result < 0)
        return result;
    struct finding finding = {.kind = "pending",
                              .text = "a message that has arrived cannot be opened: its record is damaged on the disk",
                              .is_repaired = check->repair};
    return check_report(check, &finding);
}

/* What can be opened is about to be taken in, what is in the vault to be said taken; the rest is what we look for. */
static int check_row(struct check *check, const uint8_t *at)
{
    struct pending_row row;
    uint64_t id = 0;
    pending_row_get(at, &row);
    struct vault_place place = {
        .record = row.record, .segment = row.segment, .offset = row.offset, .length = row.length};
    if (vault_email_find_record(check->session->vault, row.record, &id) == 0 ||
        vault_outbox_find(check->session->vault, row.record) == 0)
        return 0;
    AUTO(message) struct message *message = NULL;
    int result = message_open_pending(check->task, check->session, &place, row.sealed_key, &message);
    return result == -EBADMSG || result == -ENOENT || result == -EIO ? report(check, &row) : result;
}

int check_pending(struct check *check)
{
    bool more = true;
    uint64_t before = 0;
    int result = takein_wait(check->task, check->session);
    while (result == 0 && more) {
        AUTO(ipc_message) struct ipc_message *reply = NULL;
        result = ask(check, before, ROWS, &reply);
        if (result < 0)
            return result;
        span_t rows = reply->pending_done.rows;
        size_t count = rows.len / PENDING_ROW_SIZE;
        for (size_t i = 0; result == 0 && i < count; i++)
            result = check_row(check, rows.at + i * PENDING_ROW_SIZE);
        more = count > 0 && reply->pending_done.more != 0;
        if (more)
            before = bytes_get_u64(rows.at + (count - 1) * PENDING_ROW_SIZE);
    }
    return result;
}
