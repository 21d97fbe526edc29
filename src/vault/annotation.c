#include "vault/annotation.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "vault/engine.h"

static int prepare(struct vault *vault, enum vault_statement id, uint64_t mailbox, span_t entry,
                   sqlite3_stmt **ret_statement)
{
    int result = engine_prepare(vault, id, NUMBERS((int64_t)mailbox), ret_statement);
    return result == 0 ? engine_bind_text(vault, *ret_statement, 2, entry) : result;
}

static int remove_one(struct vault *vault, uint64_t mailbox, span_t entry)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = prepare(vault, STATEMENT_ANNOTATION_REMOVE, mailbox, entry, &statement);
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int add_one(struct vault *vault, uint64_t mailbox, span_t entry, span_t value)
{
    int64_t here = 0;
    int64_t all = 0;
    int result = engine_ask(vault, STATEMENT_ANNOTATION_COUNT, NUMBERS((int64_t)mailbox), &here);
    if (result == 0)
        result = engine_ask(vault, STATEMENT_ANNOTATION_TOTAL, NO_NUMBERS, &all);
    if (result != 0)
        return result;
    if (here >= VAULT_ANNOTATIONS_EACH || all >= VAULT_ANNOTATIONS_MAX)
        return VAULT_LIMIT;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    result = prepare(vault, STATEMENT_ANNOTATION_ADD, mailbox, entry, &statement);
    if (result == 0)
        result = engine_bind_blob(vault, statement, 3, value);
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int raise_modseq(struct vault *vault, uint64_t mailbox)
{
    const struct engine_counters unchanged = {0};
    vault->modseq++;
    return engine_counters_put(vault, mailbox, &unchanged, vault->modseq);
}

int vault_annotation_put(struct vault *vault, uint64_t mailbox, span_t entry, span_t value)
{
    if (entry.len > VAULT_ANNOTATION_NAME_MAX || value.len > VAULT_ANNOTATION_VALUE_MAX)
        return VAULT_LIMIT;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = remove_one(vault, mailbox, entry);
    if (result == 0 && value.at != NULL)
        result = add_one(vault, mailbox, entry, value);
    if (result == 0 && mailbox != VAULT_ACCOUNT_ITSELF)
        result = raise_modseq(vault, mailbox);
    return engine_step_end(vault, &step, result);
}

/* A blob of no bytes has no address in SQLite. */
static span_t column(sqlite3_stmt *statement, int at)
{
    const void *bytes = sqlite3_column_blob(statement, at);
    return bytes == NULL ? SPAN("") : span_of(bytes, (size_t)sqlite3_column_bytes(statement, at));
}

int vault_annotation_get(struct vault *vault, uint64_t mailbox, span_t entry, uint8_t **ret_value, size_t *ret_len)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = prepare(vault, STATEMENT_ANNOTATION_GET, mailbox, entry, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    span_t value = column(statement, 0);
    uint8_t *copy = mem_new(value.len + 1);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, value.at, value.len);
    *ret_value = copy;
    *ret_len = value.len;
    return 0;
}

int vault_annotation_list(struct vault *vault, uint64_t mailbox, span_t entry, vault_annotation_fn fn, void *arg)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = prepare(vault, STATEMENT_ANNOTATION_BELOW, mailbox, entry, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        result = fn(arg, column(statement, 0), column(statement, 1));
        if (result != 0)
            return result;
        result = engine_next(vault, statement);
    }
    return result;
}
