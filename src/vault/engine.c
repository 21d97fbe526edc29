#include "vault/engine.h"

#include "vault/vfs.h"

static const char *const statement_sql[STATEMENT_COUNT] = {
#define STATEMENT(name, sql) [STATEMENT_##name] = (sql),
#include "vault/statements.def"
#undef STATEMENT
};

/* Some faults (a full disk, no memory) make SQLite roll the transaction back by itself. */
int engine_fault(struct vault *vault, int sqlite_result)
{
    int result = vfs_fault(sqlite_result);
    if (result < 0 && vault->open && vault->fault == 0 && sqlite3_get_autocommit(vault->database) != 0)
        vault->fault = result;
    return result;
}

int engine_prepare(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count,
                   sqlite3_stmt **ret_statement)
{
    sqlite3_stmt **statement = &vault->statements[id];
    if (*statement == NULL) {
        int prepared =
            sqlite3_prepare_v3(vault->database, statement_sql[id], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
        if (prepared != SQLITE_OK)
            return engine_fault(vault, prepared);
    }
    for (size_t i = 0; i < count; i++) {
        int bound = sqlite3_bind_int64(*statement, (int)i + 1, numbers[i]);
        if (bound != SQLITE_OK)
            return engine_fault(vault, bound);
    }
    *ret_statement = *statement;
    return 0;
}

int engine_next(struct vault *vault, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    return result == SQLITE_ROW ? ENGINE_ROW : engine_fault(vault, result);
}

int engine_finish(struct vault *vault, sqlite3_stmt *statement)
{
    int result = ENGINE_ROW;
    while (result == ENGINE_ROW)
        result = engine_next(vault, statement);
    return result;
}

int engine_run(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, id, numbers, count, &statement);
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int ask(struct vault *vault, sqlite3_stmt *statement, int64_t *ret_number)
{
    int result = engine_next(vault, statement);
    if (result == 0)
        return VAULT_NOT_FOUND;
    if (result != ENGINE_ROW)
        return result;
    int64_t number = sqlite3_column_int64(statement, 0);
    result = engine_finish(vault, statement); /* what it changes is complete only at its end */
    if (result == 0)
        *ret_number = number;
    return result;
}

int engine_list(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count, uint64_t *ret_list,
                size_t room, size_t *ret_count)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    size_t listed = 0;
    int result = engine_prepare(vault, id, numbers, count, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    while (result == ENGINE_ROW && listed < room) {
        ret_list[listed++] = (uint64_t)sqlite3_column_int64(statement, 0);
        result = engine_next(vault, statement);
    }
    if (result < 0)
        return result;
    *ret_count = listed;
    return 0;
}

int engine_ask(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count, int64_t *ret_number)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, id, numbers, count, &statement);
    return result == 0 ? ask(vault, statement, ret_number) : result;
}

int engine_ask_text(struct vault *vault, enum vault_statement id, span_t text, int64_t *ret_number)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, id, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, text);
    return result == 0 ? ask(vault, statement, ret_number) : result;
}

int engine_ask_once(struct vault *vault, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int result = engine_fault(vault, sqlite3_prepare_v2(vault->database, sql, -1, &statement, NULL));
    if (result == 0)
        result = engine_next(vault, statement);
    if (result == ENGINE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
        result = 0;
    }
    (void)sqlite3_finalize(statement);
    return result;
}

int engine_execute(struct vault *vault, const char *sql)
{
    return engine_fault(vault, sqlite3_exec(vault->database, sql, NULL, NULL, NULL));
}

/* Lent to SQLite, not copied: engine_reset lets go of it before the caller's scope ends. */
int engine_bind_text(struct vault *vault, sqlite3_stmt *statement, int at, span_t text)
{
    const char *bytes = text.at == NULL ? "" : (const char *)text.at;
    return engine_fault(vault, sqlite3_bind_text64(statement, at, bytes, text.len, SQLITE_STATIC, SQLITE_UTF8));
}

int engine_bind_blob(struct vault *vault, sqlite3_stmt *statement, int at, span_t blob)
{
    const void *bytes = blob.at == NULL ? "" : (const void *)blob.at;
    return engine_fault(vault, sqlite3_bind_blob64(statement, at, bytes, blob.len, SQLITE_STATIC));
}

void engine_reset(sqlite3_stmt **statement)
{
    if (*statement == NULL)
        return;
    (void)sqlite3_reset(*statement);
    (void)sqlite3_clear_bindings(*statement);
}

int engine_step_begin(struct vault *vault, struct engine_step *ret_step)
{
    struct engine_step step = {.own = !vault->open, .modseq = vault->modseq};
    int result = step.own ? vault_begin(vault, VAULT_DURABLE) : vault->fault;
    if (result == 0 && !step.own)
        result = engine_sorting_flush(vault);
    if (result == 0 && !step.own)
        result = engine_execute(vault, "SAVEPOINT step");
    if (result == 0)
        *ret_step = step;
    return result;
}

int engine_step_end(struct vault *vault, const struct engine_step *step, int result)
{
    if (step->own) {
        if (result == 0)
            return vault_commit(vault);
        vault_rollback(vault);
        return result;
    }
    if (result == 0)
        result = engine_sorting_flush(vault);
    if (result == 0)
        result = engine_execute(vault, "RELEASE step");
    else if (vault->fault == 0) {
        vault->modseq = step->modseq;
        engine_references_forget(vault);
        engine_sorting_forget(vault);
        int undone = engine_execute(vault, "ROLLBACK TO step; RELEASE step");
        if (undone == 0)
            undone = engine_keywords_load(vault);
        if (undone != 0 && vault->fault == 0)
            vault->fault = undone; /* half a step would stay: the transaction may not be committed */
    }
    return result;
}

void engine_count(struct engine_counters *counters, int64_t sign, uint64_t flags, uint64_t size)
{
    counters->total += sign;
    counters->unseen += (flags & VAULT_SEEN) == 0 ? sign : 0;
    counters->deleted += (flags & VAULT_DELETED) != 0 ? sign : 0;
    counters->bytes += sign * (int64_t)size;
}

int engine_counters_put(struct vault *vault, uint64_t mailbox, const struct engine_counters *counters, uint64_t modseq)
{
    return engine_run(vault, STATEMENT_MAILBOX_COUNTERS,
                      NUMBERS((int64_t)mailbox, counters->uids, counters->total, counters->unseen, counters->deleted,
                              counters->bytes, (int64_t)modseq, counters->expunges, (int64_t)counters->flagged));
}

int engine_mailbox_brief(struct vault *vault, uint64_t mailbox, struct engine_brief *ret_brief)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_MAILBOX_BRIEF, NUMBERS((int64_t)mailbox), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    ret_brief->uidnext = (uint32_t)sqlite3_column_int64(statement, 0);
    ret_brief->uidvalidity = (uint32_t)sqlite3_column_int64(statement, 1);
    ret_brief->modseq = (uint64_t)sqlite3_column_int64(statement, 2);
    ret_brief->horizon = (uint64_t)sqlite3_column_int64(statement, 3);
    ret_brief->expunges = (uint64_t)sqlite3_column_int64(statement, 4);
    return 0;
}
