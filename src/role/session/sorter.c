#include "role/session/sorter.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/session/message.h"
#include "role/session/quiet.h"
#include "vault/sorting.h"

#define BATCH_EMAILS 256U /* in one transaction */
#define POLITE_MS 10      /* between two batches, where somebody is at work in the account */
#define RETRY_MS 30000

static int read_header(struct task *task, struct session *session, uint64_t id, struct buf *header)
{
    struct vault_email email;
    int result = vault_email_get(session->vault, id, &email);
    if (result != 0)
        return result < 0 ? result : -ENOENT;
    AUTO(message) struct message *message = NULL;
    result = message_open(task, session, &email.place, &message);
    secret_wipe(email.place.key, sizeof(email.place.key));
    if (result < 0)
        return result;
    header->max = message_len(message);
    return message_read(message, 0, email.header_size, header);
}

int sort_key_of_email(struct task *task, struct session *session, uint64_t email, struct buf *bytes)
{
    struct buf header AUTO_BUF;
    AUTO(arena) struct arena *scratch = NULL;
    buf_init(&header, 0);
    int result = read_header(task, session, email, &header);
    if (result == 0)
        result = arena_new(MIME_ARENA_MAX, &scratch);
    return result < 0 ? result : sort_key_of_header(buf_span(&header), vault_hash_key(session->vault), scratch, bytes);
}

/* --- those that have none yet --- */

struct batch {
    uint64_t ids[BATCH_EMAILS];
    uint16_t lens[BATCH_EMAILS]; /* 0: it cannot be read */
    size_t count;
    struct buf keys;
};

/* What cannot be read is left to every SORT to try again. */
static int read_batch(struct task *task, struct session *session, struct batch *batch)
{
    int result = vault_sorting_pending(session->vault, batch->ids, BATCH_EMAILS, &batch->count);
    buf_clear(&batch->keys);
    for (size_t i = 0; result == 0 && i < batch->count; i++) {
        size_t before = buf_len(&batch->keys);
        result = sort_key_of_email(task, session, batch->ids[i], &batch->keys);
        if (result == -EBADMSG || result == -ENOENT)
            result = 0;
        batch->lens[i] = (uint16_t)(buf_len(&batch->keys) - before);
        if (result == 0 && i % 8 == 7)
            result = task_yield(task);
    }
    return result;
}

static int put_keys(struct vault *vault, const struct batch *batch)
{
    span_t rest = buf_span(&batch->keys);
    int result = 0;
    for (size_t i = 0; result >= 0 && i < batch->count; i++) {
        if (batch->lens[i] > 0)
            result =
                vault_sorting_put(vault, batch->ids[i], span_upto(rest, batch->lens[i])); /* or deleted meanwhile */
        rest = span_from(rest, batch->lens[i]);
    }
    return result < 0 ? result : vault_sorting_done(vault, batch->ids[batch->count - 1]);
}

/* Relaxed: what a crash of the machine undoes is simply done again. */
static int write_batch(struct vault *vault, const struct batch *batch)
{
    int result = vault_begin(vault, VAULT_RELAXED);
    if (result < 0)
        return result;
    result = put_keys(vault, batch);
    if (result == 0)
        return vault_commit(vault);
    vault_rollback(vault);
    return result;
}

static int fill(struct task *task, struct session *session)
{
    AUTO_FREE struct batch *batch = mem_new(sizeof(*batch));
    if (batch == NULL)
        return -ENOMEM;
    buf_init(&batch->keys, (size_t)BATCH_EMAILS * VAULT_SORTING_MAX);
    int result = read_batch(task, session, batch);
    while (result == 0 && batch->count > 0) {
        result = write_batch(session->vault, batch);
        if (result == 0)
            result = session->parked == session->client_count ? task_yield(task) : task_sleep(task, POLITE_MS);
        if (result == 0)
            result = read_batch(task, session, batch);
    }
    buf_deinit(&batch->keys);
    return result;
}

static void run(struct task *task, void *arg)
{
    struct session *session = arg;
    int result = -EAGAIN;
    while (result != 0 && result != -ECANCELED) {
        result = quiet_hold(session);
        if (result == 0) {
            result = fill(task, session);
            quiet_let_go(session);
        }
        if (result == 0 || result == -ECANCELED)
            break;
        log_warn("sorter.failed", F_FAULT(result));
        result = task_sleep(task, RETRY_MS) < 0 ? -ECANCELED : result;
    }
}

int sorter_start(struct session *session)
{
    return task_group_spawn(&session->tasks, session->loop, "sorter", run, session);
}
