#include "role/session/release.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/session/quiet.h"
#include "vault/leaving.h"
#include "vault/outbox.h"

#define RELEASE_ROWS 4096U
#define SETTLE_EMAILS 256U /* in one transaction, for which nobody else in the account can do anything */
#define POLITE_MS 10       /* between two of them, where somebody is at work in the account */
#define RETRY_MS 5000

static int tell_store(struct task *task, struct session *session, uint64_t *records, size_t count)
{
    struct channel *store = session_store(session);
    AUTO_FREE uint8_t *ids = mem_new_array(count, 8);
    if (store == NULL || ids == NULL)
        return store == NULL ? -ENOTCONN : -ENOMEM;
    for (size_t i = 0; i < count; i++)
        bytes_put_u64(ids + 8 * i, records[i]);
    struct ipc_message request = {.type = IPC_release, .release = {.records = span_of(ids, 8 * count)}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, store, &request, SESSION_CALL_MS, &reply);
    if (result < 0)
        return result;
    return -(int)reply->done.outcome;
}

/* Forgotten only once store has it durably; losing that again in a crash is harmless, it is said once more then. */
static int clear(struct session *session, const uint64_t *records, size_t count)
{
    int result = vault_begin(session->vault, VAULT_RELAXED);
    if (result < 0)
        return result;
    result = vault_outbox_clear(session->vault, records, count);
    if (result == 0)
        result = vault_commit(session->vault);
    if (result < 0)
        vault_rollback(session->vault);
    return result;
}

int release_flush(struct task *task, struct session *session)
{
    AUTO_FREE uint64_t *records = NULL;
    for (;;) {
        uint64_t first = 0;
        size_t count = 0;
        int result = vault_outbox_list(session->vault, &first, 1, &count);
        if (result < 0 || count == 0)
            return result;
        if (records == NULL)
            records = mem_new_array(RELEASE_ROWS, sizeof(*records));
        if (records == NULL)
            return -ENOMEM;
        result = vault_outbox_list(session->vault, records, RELEASE_ROWS, &count);
        if (result == 0)
            result = tell_store(task, session, records, count);
        if (result == 0)
            result = clear(session, records, count);
        if (result < 0)
            return result;
    }
}

/* Relaxed: what a crash of the machine undoes is simply done again. */
static int settle_some(struct session *session, bool *ret_more)
{
    int result = vault_begin(session->vault, VAULT_RELAXED);
    if (result < 0)
        return result;
    result = vault_leaving_settle(session->vault, SETTLE_EMAILS, ret_more);
    if (result == 0)
        result = vault_commit(session->vault);
    if (result < 0)
        vault_rollback(session->vault);
    return result;
}

static int settle_all(struct task *task, struct session *session)
{
    bool more = true;
    int result = 0;
    while (result == 0 && more) {
        bool is_alone = session->parked == session->client_count;
        result = is_alone ? task_yield(task) : task_sleep(task, POLITE_MS);
        if (result == 0)
            result = settle_some(session, &more);
    }
    return result;
}

/* Forgets what was expunged. The words of what was in the index are then to be taken out of it. */
static int settle(struct task *task, struct session *session)
{
    int result = vault_leaving_any(session->vault, &session->is_forgetting);
    if (result < 0 || !session->is_forgetting)
        return result;
    result = settle_all(task, session);
    event_raise(&session->unindexed);
    session->is_forgetting = false;
    return result;
}

/* What cannot be forgotten, as a page is damaged, keeps nothing else from being released. */
static int one_round(struct task *task, struct session *session)
{
    int result = quiet_hold(session);
    if (result < 0)
        return result;
    result = settle(task, session);
    int released = result == -ECANCELED ? 0 : release_flush(task, session);
    quiet_let_go(session);
    return result < 0 ? result : released;
}

static void run(struct task *task, void *arg)
{
    struct session *session = arg;
    int result = 0;
    while (result != -ECANCELED) {
        result = event_wait(task, &session->freed, FOREVER);
        if (result < 0)
            break;
        event_clear(&session->freed);
        result = one_round(task, session);
        if (result < 0 && result != -ECANCELED) {
            log_warn("release.failed", F_FAULT(result));
            event_raise(&session->freed);
            result = task_sleep(task, RETRY_MS);
        }
    }
}

int release_start(struct session *session)
{
    event_raise(&session->freed);
    return task_group_spawn(&session->tasks, session->loop, "release", run, session);
}
