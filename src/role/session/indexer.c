#include "role/session/indexer.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/session/message.h"
#include "role/session/quiet.h"
#include "role/session/words.h"
#include "vault/index.h"

#define QUIET_MS 2000     /* without anything new, before it begins: what comes together costs less than one by one */
#define PATIENCE_MS 30000 /* then it begins all the same */
#define BATCH_EMAILS 128U /* in one transaction, for which nobody else in the account can do anything */
#define BATCH_TEXT ((size_t)1 << 20U)
#define TERMS_BYTES (BATCH_TEXT + 4 * VAULT_WORDS_BYTES)
#define POLITE_MS 10
#define REST_MS 5 /* between two batches, for the others */
#define RETRY_MS 30000

struct entry {
    struct vault_email email; /* id and place */
    size_t text_len;
    size_t plain_len;
    bool is_partial;
    bool is_lost; /* its message cannot be read, and never will */
};

/* Reading may suspend and a transaction must not, so a batch is read first. */
struct batch {
    struct session *session;
    struct vault_words words;
    struct arena *arena;
    struct buf message;
    struct buf terms; /* of each entry, the texts and then the plain words */
    struct entry *entries;
    size_t count;
};

static int read_message(struct task *task, struct batch *batch, const struct vault_place *place)
{
    AUTO(message) struct message *message = NULL;
    int result = message_open(task, batch->session, place, &message);
    buf_clear(&batch->message);
    if (result == 0)
        result = message_read(message, 0, message_len(message), &batch->message);
    if (result < 0)
        return result;
    struct mime_part *root = NULL;
    arena_reset(batch->arena);
    result = mime_parse(buf_span(&batch->message), batch->arena, &root);
    return result < 0 ? result : words_read(root, batch->arena, &batch->words);
}

static int read_entry(struct task *task, struct batch *batch, const struct vault_email *email)
{
    int result = read_message(task, batch, &email->place);
    bool is_lost = result == -EBADMSG || result == -ENOENT;
    if (result < 0 && !is_lost)
        return result;
    struct entry *entry = &batch->entries[batch->count];
    *entry = (struct entry){.email = *email, .is_lost = is_lost};
    if (!is_lost) {
        struct vault_terms terms = vault_words_terms(&batch->words);
        (void)buf_append(&batch->terms, terms.text);
        result = buf_append(&batch->terms, terms.plain);
        entry->text_len = terms.text.len;
        entry->plain_len = terms.plain.len;
        entry->is_partial = terms.is_partial;
    }
    if (result == 0 || is_lost)
        batch->count++;
    return is_lost ? 0 : result;
}

static bool is_full(const struct batch *batch)
{
    return batch->count == BATCH_EMAILS || buf_len(&batch->terms) >= BATCH_TEXT;
}

typedef int (*entry_fn)(struct vault *vault, const struct vault_email *email, const struct vault_terms *terms);

static int add_one(struct vault *vault, const struct vault_email *email, const struct vault_terms *terms)
{
    return vault_index_add(vault, email->id, terms);
}

static int write_entries(struct batch *batch, entry_fn write)
{
    span_t rest = buf_span(&batch->terms);
    int result = 0;
    for (size_t i = 0; result == 0 && i < batch->count; i++) {
        const struct entry *entry = &batch->entries[i];
        struct vault_terms terms = {.text = span_upto(rest, entry->text_len),
                                    .plain = span_slice(rest, entry->text_len, entry->plain_len),
                                    .is_partial = entry->is_partial};
        result = write(batch->session->vault, &entry->email, entry->is_lost ? NULL : &terms);
        rest = span_from(rest, entry->text_len + entry->plain_len);
    }
    return result;
}

/* Relaxed: what a crash of the machine undoes is simply done again. */
static int write_batch(struct batch *batch, entry_fn write)
{
    if (batch->count == 0)
        return 0;
    struct vault *vault = batch->session->vault;
    int result = vault_begin(vault, VAULT_RELAXED);
    if (result < 0)
        return result;
    result = write_entries(batch, write);
    if (result == 0)
        return vault_commit(vault);
    vault_rollback(vault);
    return result;
}

static void batch_clear(struct batch *batch)
{
    batch->count = 0;
    buf_clear(&batch->terms);
}

/* Where somebody is at work in the account, most of the time is his. */
static int give_turn(struct task *task, const struct session *session)
{
    bool is_alone = session->parked == session->client_count || session->index_waiters > 0;
    return is_alone ? task_yield(task) : task_sleep(task, POLITE_MS);
}

/* --- what is new */

static int add_some(struct task *task, struct batch *batch, bool *ret_more)
{
    uint64_t ids[BATCH_EMAILS];
    size_t count = 0;
    batch_clear(batch);
    int result = vault_index_pending(batch->session->vault, ids, COUNT_OF(ids), &count);
    for (size_t i = 0; result == 0 && i < count && !is_full(batch); i++) {
        struct vault_email email;
        result = vault_email_get(batch->session->vault, ids[i], &email);
        if (result == VAULT_NOT_FOUND) { /* deleted meanwhile */
            result = 0;
            continue;
        }
        if (result == 0)
            result = read_entry(task, batch, &email);
        if (result == 0 && i % 8 == 7)
            result = give_turn(task, batch->session);
    }
    *ret_more = count > 0;
    return result == 0 ? write_batch(batch, add_one) : result;
}

/* --- what is gone */

static int remove_some(struct task *task, struct batch *batch, bool *ret_more)
{
    uint64_t first = 0;
    int result = 0;
    batch_clear(batch);
    while (result == 0 && !is_full(batch)) {
        struct vault_email email;
        result = vault_index_departed(batch->session->vault, first, &email);
        if (result == 0)
            result = read_entry(task, batch, &email);
        if (result == 0)
            first = email.id + 1;
        if (result == 0 && batch->count % 8 == 0)
            result = give_turn(task, batch->session);
    }
    if (result < 0)
        return result;
    *ret_more = batch->count > 0;
    result = write_batch(batch, vault_index_remove);
    if (result == 0 && batch->count > 0)
        event_raise(&batch->session->freed);
    return result;
}

/* --- the task */

/* Where something is new; a stream of mail takes all the time there is, and is waited for, though not for ever. */
static int wait_for_quiet(struct task *task, struct session *session)
{
    int64_t latest = loop_now(session->loop) + PATIENCE_MS;
    int result = 0;
    while (result == 0 && session->index_waiters == 0 && event_is_set(&session->unindexed) &&
           loop_now(session->loop) < latest) {
        event_clear(&session->unindexed);
        result = event_wait(task, &session->unindexed, QUIET_MS);
    }
    return result == -ETIMEDOUT ? 0 : result;
}

typedef int (*some_fn)(struct task *task, struct batch *batch, bool *ret_more);

static int all_of(struct task *task, struct batch *batch, some_fn some)
{
    bool more = true;
    int result = 0;
    while (result == 0 && more) {
        result = some(task, batch, &more);
        if (result == 0 && more)
            result = task_sleep(task, REST_MS);
        if (result == 0 && more)
            result = wait_for_quiet(task, batch->session);
    }
    return result;
}

static int round_of(struct task *task, struct session *session)
{
    AUTO_FREE struct entry *entries = mem_new_array(BATCH_EMAILS, sizeof(*entries));
    AUTO(arena) struct arena *arena = NULL;
    int result = entries == NULL ? -ENOMEM : arena_new(MIME_ARENA_MAX, &arena);
    if (result < 0)
        return result;
    struct batch batch = {.session = session, .arena = arena, .entries = entries};
    vault_words_init(&batch.words, session->vault);
    buf_init(&batch.message, SIZE_MAX / 2);
    buf_init(&batch.terms, TERMS_BYTES);
    result = all_of(task, &batch, remove_some);
    if (result == 0)
        result = all_of(task, &batch, add_some);
    secret_wipe(entries, BATCH_EMAILS * sizeof(*entries)); /* keys */
    vault_words_deinit(&batch.words);
    buf_deinit(&batch.message);
    buf_deinit(&batch.terms);
    vault_index_rest(session->vault);
    return result;
}

/* A damaged index is made anew, once: where that does not help, the damage is elsewhere. */
static int one_round(struct task *task, struct session *session, bool *was_reset)
{
    int result = quiet_hold(session);
    if (result < 0)
        return result;
    result = round_of(task, session);
    if (result == -EBADMSG && !*was_reset)
        *was_reset = vault_index_reset(session->vault) == 0;
    quiet_let_go(session);
    return result;
}

static void run(struct task *task, void *arg)
{
    struct session *session = arg;
    bool was_reset = false;
    int result = 0;
    while (result != -ECANCELED) {
        result = event_wait(task, &session->unindexed, FOREVER);
        session->is_indexing = true;
        if (result == 0)
            result = wait_for_quiet(task, session);
        if (result < 0)
            break;
        event_clear(&session->unindexed);
        result = one_round(task, session, &was_reset);
        session->is_indexing = false;
        if (result == 0 || result == -ECANCELED)
            continue;
        log_warn("index.failed", F_FAULT(result));
        event_raise(&session->unindexed);
        result = task_sleep(task, RETRY_MS);
    }
}

int indexer_start(struct session *session)
{
    event_raise(&session->unindexed);
    return task_group_spawn(&session->tasks, session->loop, "indexer", run, session);
}
