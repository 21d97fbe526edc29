#include "vault/leaving.h"

#include "vault/engine.h"

/*
 * A row of `leaving` is a run of ids that follow one another. Rows may overlap, and what is in them may have been filed
 * again: whether an email is in a mailbox is asked when it is to be forgotten.
 */
int engine_leaving_add(struct vault *vault, uint64_t first, uint64_t last)
{
    return engine_run(vault, STATEMENT_LEAVING_ADD, NUMBERS((int64_t)first, (int64_t)last));
}

static int forget_sorting(struct vault *vault, sqlite3_stmt *forgotten)
{
    int result = engine_next(vault, forgotten);
    while (result == ENGINE_ROW) {
        result = engine_sorting_remove(vault, (uint64_t)sqlite3_column_int64(forgotten, 0));
        if (result == 0)
            result = engine_next(vault, forgotten);
    }
    return result;
}

/*
 * A record goes to the outbox in the transaction that forgets its email: either both are true after a crash, or
 * neither. One whose words are in the index goes there only when they have been taken out.
 */
static int forget(struct vault *vault, int64_t first, int64_t last)
{
    int64_t mark = (int64_t)vault->index_mark;
    AUTO_RESET sqlite3_stmt *forgotten = NULL;
    int result = engine_run(vault, STATEMENT_LEAVING_DEPART, NUMBERS(first, last, mark));
    if (result == 0)
        result = engine_run(vault, STATEMENT_LEAVING_RELEASE, NUMBERS(first, last, mark));
    if (result == 0)
        result = engine_prepare(vault, STATEMENT_LEAVING_FORGET, NUMBERS(first, last), &forgotten);
    if (result == 0)
        result = forget_sorting(vault, forgotten);
    return result == 0 ? engine_run(vault, STATEMENT_LEAVING_FORGET_CACHE, NUMBERS(first, last)) : result;
}

/* The first run, or as much of it as there is room for; VAULT_NOT_FOUND. */
static int settle_some(struct vault *vault, size_t *room)
{
    uint64_t first = 0;
    uint64_t last = 0;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_LEAVING_NEXT, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    first = (uint64_t)sqlite3_column_int64(statement, 0);
    last = (uint64_t)sqlite3_column_int64(statement, 1);
    engine_reset(&statement);
    uint64_t end = last - first < *room ? last : first + *room - 1;
    *room -= end - first + 1;
    result = forget(vault, (int64_t)first, (int64_t)end);
    if (result == 0)
        result = engine_run(vault, STATEMENT_LEAVING_DELETE, NUMBERS((int64_t)first));
    return result == 0 && end < last ? engine_leaving_add(vault, end + 1, last) : result;
}

int vault_leaving_any(struct vault *vault, bool *ret_any)
{
    int64_t first = 0;
    int result = engine_ask(vault, STATEMENT_LEAVING_NEXT, NO_NUMBERS, &first);
    if (result < 0)
        return result;
    *ret_any = result == 0;
    return 0;
}

int vault_leaving_settle(struct vault *vault, size_t most, bool *ret_more)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    while (result == 0 && most > 0)
        result = settle_some(vault, &most);
    *ret_more = result == 0;
    return engine_step_end(vault, &step, result == VAULT_NOT_FOUND ? 0 : result);
}
