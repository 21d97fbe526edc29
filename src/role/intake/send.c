#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/record.h"
#include "ipc/body.h"
#include "role/intake/intake-state.h"

#define STORE_WAIT 120000  /* milliseconds for the store to answer */
#define BODY_WAIT 60000    /* milliseconds without the store taking a byte */
#define KEYS_AT_A_TIME 16U /* sealed before others have their turn */

/* Takes the end for the store over the channel while the body is written to the other one. */
struct passage {
    struct intake *intake;
    struct record_sealer *sealer;
    struct body_writer *writer;
};

/* One sender seals all that is sealed within a second; it may end whenever a task waits. */
static int need_sender(struct intake *intake)
{
    if (intake->sender != NULL)
        return 0;
    int result = record_sender_new(&intake->sender);
    if (result == 0)
        timer_start(intake->sender_end, RECORD_SENDER_MS);
    return result;
}

/* One row for each account, however often it stands among the recipients. */
static int rows_seal(struct task *task, struct intake *intake, span_t recipients, const struct secret *key,
                     struct buf *rows)
{
    unsigned sealed = 0;
    for (; recipients.len >= RECIPIENT_ROW_SIZE; recipients = span_from(recipients, RECIPIENT_ROW_SIZE)) {
        span_t known = buf_span(rows);
        bool repeated = false;
        for (; known.len > 0 && !repeated; known = span_from(known, KEY_ROW_SIZE))
            repeated = memcmp(known.at, recipients.at, 8) == 0;
        if (repeated)
            continue;
        uint8_t row[KEY_ROW_SIZE];
        memcpy(row, recipients.at, 8);
        int result = need_sender(intake);
        if (result == 0)
            result = record_key_seal(intake->sender, key, recipients.at + 8, row + 8);
        if (result == 0)
            result = buf_append(rows, span_of(row, sizeof(row)));
        if (result == 0 && ++sealed % KEYS_AT_A_TIME == 0)
            result = task_yield(task);
        if (result != 0)
            return result;
    }
    return buf_len(rows) > 0 ? 0 : -EINVAL;
}

static int body_send(struct task *task, struct passage *passage)
{
    AUTO_BUF struct buf piece;
    buf_init(&piece, RECORD_CHUNK + 64);
    int result = 0;
    while (result == 0) {
        buf_clear(&piece);
        result = record_sealer_next(passage->sealer, &piece);
        if (result == 0 && record_sealer_done(passage->sealer))
            return body_finish(task, passage->writer, buf_span(&piece), BODY_WAIT);
        if (result == 0)
            result = body_write(task, passage->writer, buf_span(&piece), BODY_WAIT);
    }
    return result;
}

static void body_task(struct task *task, void *arg)
{
    struct passage *passage = arg;
    int result = body_send(task, passage);
    if (result != 0)
        log_debug("intake.body.ended", F_FAULT(result));
    /* a body that is not complete ends here, or the store would wait for its rest */
    body_writer_free(TAKE(passage->writer));
}

static int outcome_of(const struct ipc_message *reply)
{
    static const enum deliver_outcome outcomes[] = {
        [APPEND_OK] = DELIVER_OK, [APPEND_FULL] = DELIVER_FULL, [APPEND_FAILED] = DELIVER_LATER};
    uint32_t outcome = reply->appended.outcome;
    return outcome < COUNT_OF(outcomes) ? (int)outcomes[outcome] : (int)DELIVER_LATER;
}

static int call_store(struct task *task, struct intake *intake, struct ipc_message *request)
{
    struct channel *store = wiring_any(intake->wiring, ROLE_STORE);
    if (store == NULL) {
        ipc_message_close_fds(request);
        return DELIVER_LATER;
    }
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, store, request, STORE_WAIT, &reply);
    if (result != 0)
        return result == -ECANCELED ? result : (int)DELIVER_LATER;
    return outcome_of(reply);
}

/* A small record goes along in the request. */
static int send_small(struct task *task, struct passage *passage, struct ipc_message *request)
{
    AUTO_BUF struct buf sealed;
    buf_init(&sealed, BODY_SMALL_MAX);
    int result = record_sealer_next(passage->sealer, &sealed);
    if (result != 0)
        return result;
    request->append.content = buf_span(&sealed);
    return call_store(task, passage->intake, request);
}

/* A larger one is streamed while store is asked to take it. */
static int send_large(struct task *task, struct passage *passage, struct ipc_message *request)
{
    int ends[2];
    int result = body_pair(ends);
    if (result != 0)
        return result;
    request->fd_count = 1;
    request->fds[0] = ends[1];
    result = body_writer_new(passage->intake->loop, ends[0], &passage->writer);
    struct task_group helper;
    task_group_init(&helper);
    if (result == 0)
        result = task_group_spawn(&helper, passage->intake->loop, "intake.body", body_task, passage);
    if (result == 0)
        result = call_store(task, passage->intake, request);
    else
        ipc_message_close_fds(request);
    if (result != DELIVER_OK)
        task_group_cancel(&helper);
    task_group_wait(task, &helper);
    body_writer_free(TAKE(passage->writer));
    return result;
}

int intake_send(struct task *task, struct intake *intake, const struct record_meta *meta, span_t message,
                span_t recipients)
{
    AUTO(record_sealer) struct record_sealer *sealer = NULL;
    AUTO_BUF struct buf rows;
    buf_init(&rows, 131072);
    int result = record_sealer_new(meta, message, &sealer);
    if (result == 0)
        result = rows_seal(task, intake, recipients, record_sealer_key(sealer), &rows);
    if (result != 0)
        return result;
    struct passage passage = {.intake = intake, .sealer = sealer};
    uint64_t length = record_sealed_len(meta, message.len);
    struct ipc_message request = {.type = IPC_append, .append = {.length = length, .recipients = buf_span(&rows)}};
    return length <= BODY_SMALL_MAX ? send_small(task, &passage, &request) : send_large(task, &passage, &request);
}
