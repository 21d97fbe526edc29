#include "base/hash.h"
#include "vault/engine.h"

/*
 * A message belongs to the thread of whatever it refers to, the nearest ancestor first; or of a message that already
 * referred to it. All ids it names lead to its thread from then on, so that the order of arrival does not matter as
 * long as two messages name a common one.
 */
static span_t bare_id(span_t id)
{
    id = span_trim(id);
    if (span_starts(id, SPAN("<")))
        id = span_from(id, 1);
    return span_ends(id, SPAN(">")) ? span_upto(id, id.len - 1) : id;
}

static int lookup(struct vault *vault, span_t id, int64_t *ret_thread)
{
    id = bare_id(id);
    if (id.len == 0)
        return VAULT_NOT_FOUND;
    return engine_ask(vault, STATEMENT_REFERENCE_GET, NUMBERS((int64_t)hash_keyed(vault->hash_key, id)), ret_thread);
}

static int remember(struct vault *vault, span_t id, int64_t thread)
{
    id = bare_id(id);
    if (id.len == 0)
        return 0;
    return engine_run(vault, STATEMENT_REFERENCE_ADD, NUMBERS((int64_t)hash_keyed(vault->hash_key, id), thread));
}

int engine_thread_find(struct vault *vault, const struct vault_new_email *email, uint64_t id, uint64_t *ret_thread)
{
    size_t first = email->reference_count > VAULT_REFERENCES_MAX ? email->reference_count - VAULT_REFERENCES_MAX : 0;
    int64_t thread = (int64_t)id;
    int result = lookup(vault, email->message_id, &thread);
    for (size_t i = email->reference_count; result == VAULT_NOT_FOUND && i > first; i--)
        result = lookup(vault, email->references[i - 1], &thread);
    if (result == VAULT_NOT_FOUND)
        result = 0;
    if (result == 0)
        result = remember(vault, email->message_id, thread);
    for (size_t i = first; result == 0 && i < email->reference_count; i++)
        result = remember(vault, email->references[i], thread);
    if (result == 0)
        *ret_thread = (uint64_t)thread;
    return result;
}
