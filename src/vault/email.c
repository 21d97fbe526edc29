#include "vault/email.h"

#include <errno.h>
#include <string.h>

#include "vault/engine.h"
#include "vault/outbox.h"

static int check_filings(struct vault *vault, const struct vault_new_email *email)
{
    for (size_t i = 0; i < email->filing_count; i++) {
        struct engine_brief brief;
        int result = engine_mailbox_brief(vault, email->filings[i].mailbox, &brief);
        if (result != 0)
            return result;
        if (brief.uidnext == UINT32_MAX)
            return VAULT_LIMIT;
    }
    return email->filing_count == 0 || email->filing_count > VAULT_MAILBOXES_OF_EMAIL_MAX ? -EINVAL : 0;
}

static int insert(struct vault *vault, const struct vault_new_email *email, uint64_t id)
{
    uint64_t thread = 0;
    int result = engine_thread_find(vault, email, id, &thread);
    if (result != 0)
        return result;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    const struct vault_place *place = &email->place;
    result = engine_prepare(vault, STATEMENT_EMAIL_ADD,
                            NUMBERS((int64_t)id, (int64_t)place->record, (int64_t)place->segment,
                                    (int64_t)place->offset, (int64_t)place->length, (int64_t)email->size,
                                    email->received, email->sent, (int64_t)thread, email->header_size),
                            &statement);
    if (result == 0)
        result = engine_bind_blob(vault, statement, 11, span_of(place->key, sizeof(place->key)));
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int put_cache(struct vault *vault, uint64_t id, span_t envelope, span_t structure)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_CACHE_PUT, NUMBERS((int64_t)id), &statement);
    if (result == 0)
        result = engine_bind_blob(vault, statement, 2, envelope);
    if (result == 0)
        result = engine_bind_blob(vault, statement, 3, structure);
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int file(struct vault *vault, const struct vault_new_email *email, uint64_t id,
                const struct vault_filing *filing, struct vault_filed *ret_filed)
{
    struct engine_brief brief;
    struct engine_counters counters = {.uids = 1};
    engine_count(&counters, 1, filing->flags, email->size);
    int result = engine_mailbox_brief(vault, filing->mailbox, &brief);
    if (result == 0)
        result = engine_run(vault, STATEMENT_MEMBER_ADD,
                            NUMBERS((int64_t)filing->mailbox, brief.uidnext, (int64_t)id, (int64_t)filing->flags,
                                    (int64_t)vault->modseq, (int64_t)email->size, email->received, filing->saved));
    if (result == 0)
        result = engine_counters_put(vault, filing->mailbox, &counters, vault->modseq);
    if (result == 0 && ret_filed != NULL)
        *ret_filed = (struct vault_filed){brief.uidnext, brief.uidvalidity};
    return result;
}

static int add(struct vault *vault, const struct vault_new_email *email, uint64_t id, struct vault_filed *ret_filed)
{
    int result = insert(vault, email, id);
    if (result == 0 && (email->envelope.len > 0 || email->structure.len > 0))
        result = put_cache(vault, id, email->envelope, email->structure);
    if (result == 0)
        result = engine_sorting_add(vault, id, email->sorting);
    for (size_t i = 0; result == 0 && i < email->filing_count; i++)
        result = file(vault, email, id, &email->filings[i], ret_filed == NULL ? NULL : &ret_filed[i]);
    return result;
}

/*
 * Everything a caller could have got wrong is looked at first. What fails after that ends an open transaction as a
 * whole, which spares every one of a thousand messages taken in together a savepoint.
 */
int vault_email_add(struct vault *vault, const struct vault_new_email *email, uint64_t *ret_id,
                    struct vault_filed *ret_filed)
{
    if (vault->fault != 0)
        return vault->fault;
    if (email->envelope.len > VAULT_CACHE_MAX || email->structure.len > VAULT_CACHE_MAX ||
        email->sorting.len > VAULT_SORTING_MAX)
        return -EINVAL;
    int result = vault_email_find_record(vault, email->place.record, ret_id);
    if (result == VAULT_NOT_FOUND)
        result = vault_outbox_find(vault, email->place.record);
    if (result != VAULT_NOT_FOUND)
        return result == 0 ? VAULT_EXISTS : result;
    result = check_filings(vault, email);
    if (result != 0)
        return result;
    bool own = !vault->open;
    if (own)
        result = vault_begin(vault, VAULT_DURABLE);
    if (result != 0)
        return result;
    uint64_t id = ++vault->modseq;
    result = add(vault, email, id, ret_filed);
    if (result == 0 && own)
        result = vault_commit(vault);
    else if (result != 0 && own)
        vault_rollback(vault);
    else if (result != 0 && vault->fault == 0)
        vault->fault = result;
    if (result == 0)
        *ret_id = id;
    return result;
}

int vault_email_get(struct vault *vault, uint64_t id, struct vault_email *ret_email)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_EMAIL_GET, NUMBERS((int64_t)id), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    const void *key = sqlite3_column_blob(statement, 9);
    if (key == NULL || sqlite3_column_bytes(statement, 9) != VAULT_CONTENT_KEY_SIZE)
        return -EBADMSG;
    struct vault_email email = {
        .id = id,
        .place.record = (uint64_t)sqlite3_column_int64(statement, 0),
        .place.segment = (uint64_t)sqlite3_column_int64(statement, 1),
        .place.offset = (uint64_t)sqlite3_column_int64(statement, 2),
        .place.length = (uint64_t)sqlite3_column_int64(statement, 3),
        .size = (uint64_t)sqlite3_column_int64(statement, 4),
        .received = sqlite3_column_int64(statement, 5),
        .sent = sqlite3_column_int64(statement, 6),
        .thread = (uint64_t)sqlite3_column_int64(statement, 7),
        .header_size = (uint32_t)sqlite3_column_int64(statement, 8),
    };
    memcpy(email.place.key, key, VAULT_CONTENT_KEY_SIZE);
    *ret_email = email;
    return 0;
}

int vault_email_find_record(struct vault *vault, uint64_t record, uint64_t *ret_id)
{
    int64_t id = 0;
    int result = engine_ask(vault, STATEMENT_EMAIL_BY_RECORD, NUMBERS((int64_t)record), &id);
    if (result == 0)
        *ret_id = (uint64_t)id;
    return result;
}

int vault_email_after(struct vault *vault, uint64_t id, uint64_t *ret_id)
{
    int64_t next = 0;
    int result = engine_ask(vault, STATEMENT_EMAIL_AFTER, NUMBERS((int64_t)id), &next);
    if (result == 0)
        *ret_id = (uint64_t)next;
    return result;
}

int vault_email_put_index(struct vault *vault, const struct vault_email *email)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = engine_run(vault, STATEMENT_EMAIL_INDEX,
                        NUMBERS((int64_t)email->id, (int64_t)email->size, email->sent, email->header_size));
    return engine_step_end(vault, &step, result);
}

/* A copy: a statement left open would keep the WAL from being written back. */
static int copy_cache(struct vault *vault, sqlite3_stmt *statement, span_t *ret_envelope, span_t *ret_structure)
{
    span_t envelope = span_of(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
    span_t structure = span_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
    buf_clear(&vault->cache);
    int result = buf_append(&vault->cache, envelope);
    if (result == 0)
        result = buf_append(&vault->cache, structure);
    if (result != 0)
        return result;
    span_t both = buf_span(&vault->cache);
    *ret_envelope = span_upto(both, envelope.len);
    *ret_structure = span_from(both, envelope.len);
    return 0;
}

int vault_email_get_cache(struct vault *vault, uint64_t id, span_t *ret_envelope, span_t *ret_structure)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_CACHE_GET, NUMBERS((int64_t)id), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result == ENGINE_ROW)
        return copy_cache(vault, statement, ret_envelope, ret_structure);
    if (result == 0) {
        *ret_envelope = SPAN_NONE;
        *ret_structure = SPAN_NONE;
    }
    return result;
}

/* How many of the rows that one walk meets may be others than those asked for, for each that is. */
#define CACHE_GAP 4U

static size_t count_dense(const uint64_t *ids, size_t count)
{
    size_t dense = 1;
    while (dense < count && ids[dense] > ids[dense - 1] && ids[dense] - ids[dense - 1] <= CACHE_GAP)
        dense++;
    return dense;
}

static int read_dense(struct vault *vault, const uint64_t *ids, size_t first, size_t end, vault_cache_fn fn, void *arg)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result =
        engine_prepare(vault, STATEMENT_CACHE_RANGE, NUMBERS((int64_t)ids[first], (int64_t)ids[end - 1]), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    for (size_t at = first; at < end && result >= 0;) {
        uint64_t id = result == ENGINE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : UINT64_MAX;
        if (id < ids[at]) {
            result = engine_next(vault, statement);
            continue;
        }
        span_t envelope = SPAN_NONE;
        span_t structure = SPAN_NONE;
        if (id == ids[at]) {
            envelope = span_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
            structure = span_of(sqlite3_column_blob(statement, 2), (size_t)sqlite3_column_bytes(statement, 2));
        }
        int said = fn(arg, at++, envelope, structure);
        if (said != 0)
            return said;
    }
    return result < 0 ? result : 0;
}

int vault_email_read_caches(struct vault *vault, const uint64_t *ids, size_t count, vault_cache_fn fn, void *arg)
{
    for (size_t first = 0; first < count;) {
        size_t end = first + count_dense(ids + first, count - first);
        int result = read_dense(vault, ids, first, end, fn, arg);
        if (result != 0)
            return result;
        first = end;
    }
    return 0;
}

static int put_cache_of(struct vault *vault, uint64_t id, span_t envelope, span_t structure)
{
    struct vault_email email;
    int result = vault_email_get(vault, id, &email);
    return result == 0 ? put_cache(vault, id, envelope, structure) : result;
}

int vault_email_put_cache(struct vault *vault, uint64_t id, span_t envelope, span_t structure)
{
    if (envelope.len > VAULT_CACHE_MAX || structure.len > VAULT_CACHE_MAX)
        return -EINVAL;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    return result == 0 ? engine_step_end(vault, &step, put_cache_of(vault, id, envelope, structure)) : result;
}

int vault_email_mailboxes(struct vault *vault, uint64_t id, vault_filing_fn fn, void *arg)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_MEMBER_OF_EMAIL, NUMBERS((int64_t)id, VAULT_MAILBOXES_OF_EMAIL_MAX),
                                &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        result = fn(arg, (uint64_t)sqlite3_column_int64(statement, 0), (uint32_t)sqlite3_column_int64(statement, 1));
        if (result != 0)
            return result;
        result = engine_next(vault, statement);
    }
    return result;
}

int vault_email_usage(struct vault *vault, uint64_t *ret_count, uint64_t *ret_bytes)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_EMAIL_USAGE, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? -EBADMSG : result;
    *ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
    *ret_bytes = (uint64_t)sqlite3_column_int64(statement, 1);
    return 0;
}
