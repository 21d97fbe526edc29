#include <errno.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/map.h"
#include "vault/engine.h"

/*
 * A message belongs to the thread of whatever it refers to, the nearest ancestor first; or of a message that already
 * referred to it. All ids it names lead to its thread from then on, so that the order of arrival does not matter as
 * long as two messages name a common one.
 *
 * Hashes fall anywhere in their table: to put each there at once would dirty a page for every message. So the latest
 * stand in a table of their own, in order of arrival, with a map over them in memory, and go to the large one together.
 */
#define RECENT_MAX 4096

static span_t bare_id(span_t id)
{
    id = span_trim(id);
    if (span_starts(id, SPAN("<")))
        id = span_from(id, 1);
    return span_ends(id, SPAN(">")) ? span_upto(id, id.len - 1) : id;
}

static int load_row(struct map *recent, sqlite3_stmt *statement)
{
    uintptr_t thread = (uintptr_t)sqlite3_column_int64(statement, 1);
    if (thread == 0)
        return -EBADMSG;
    return map_put(recent, (uint64_t)sqlite3_column_int64(statement, 0), (void *)thread); // NOLINT: a number kept in it
}

static int load_recent(struct vault *vault)
{
    if (vault->recent_references != NULL)
        return 0;
    AUTO(map) struct map *recent = NULL;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = map_new(&recent);
    if (result == 0)
        result = engine_prepare(vault, STATEMENT_REFERENCE_RECENT, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        result = load_row(recent, statement);
        if (result == 0)
            result = engine_next(vault, statement);
    }
    if (result == 0)
        vault->recent_references = TAKE(recent);
    return result;
}

void engine_references_forget(struct vault *vault)
{
    map_free(vault->recent_references);
    vault->recent_references = NULL;
}

static int lookup(struct vault *vault, span_t id, int64_t *ret_thread)
{
    id = bare_id(id);
    if (id.len == 0)
        return VAULT_NOT_FOUND;
    uint64_t hash = hash_keyed(vault->hash_key, id);
    const void *recent = map_get(vault->recent_references, hash);
    if (recent == NULL)
        return engine_ask(vault, STATEMENT_REFERENCE_GET, NUMBERS((int64_t)hash), ret_thread);
    *ret_thread = (int64_t)(uintptr_t)recent;
    return 0;
}

static int remember(struct vault *vault, span_t id, int64_t thread)
{
    int64_t known = 0;
    id = bare_id(id);
    int result = id.len == 0 ? 0 : lookup(vault, id, &known);
    if (result != VAULT_NOT_FOUND)
        return result;
    uint64_t hash = hash_keyed(vault->hash_key, id);
    result = engine_run(vault, STATEMENT_REFERENCE_ADD, NUMBERS((int64_t)hash, thread));
    if (result == 0)
        result = map_put(vault->recent_references, hash, (void *)(uintptr_t)thread); // NOLINT: a number kept in it
    return result;
}

static int merge(struct vault *vault)
{
    if (map_count(vault->recent_references) < RECENT_MAX)
        return 0;
    engine_references_forget(vault);
    int result = engine_run(vault, STATEMENT_REFERENCE_MERGE, NO_NUMBERS);
    return result == 0 ? engine_run(vault, STATEMENT_REFERENCE_CLEAR, NO_NUMBERS) : result;
}

int engine_thread_find(struct vault *vault, const struct vault_new_email *email, uint64_t id, uint64_t *ret_thread)
{
    size_t first = email->reference_count > VAULT_REFERENCES_MAX ? email->reference_count - VAULT_REFERENCES_MAX : 0;
    int64_t thread = (int64_t)id;
    int result = load_recent(vault);
    if (result == 0)
        result = lookup(vault, email->message_id, &thread);
    for (size_t i = email->reference_count; result == VAULT_NOT_FOUND && i > first; i--)
        result = lookup(vault, email->references[i - 1], &thread);
    if (result == VAULT_NOT_FOUND)
        result = 0;
    if (result == 0)
        result = remember(vault, email->message_id, thread);
    for (size_t i = first; result == 0 && i < email->reference_count; i++)
        result = remember(vault, email->references[i], thread);
    if (result == 0)
        result = merge(vault);
    if (result == 0)
        *ret_thread = (uint64_t)thread;
    return result;
}
