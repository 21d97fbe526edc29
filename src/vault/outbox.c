#include "vault/outbox.h"

#include "vault/engine.h"

int vault_outbox_list(struct vault *vault, uint64_t *ret_records, size_t room, size_t *ret_count)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_OUTBOX_READ, NUMBERS((int64_t)room), &statement);
    if (result != 0)
        return result;
    size_t count = 0;
    result = engine_next(vault, statement);
    while (result == ENGINE_ROW && count < room) {
        ret_records[count++] = (uint64_t)sqlite3_column_int64(statement, 0);
        result = engine_next(vault, statement);
    }
    if (result < 0)
        return result;
    *ret_count = count;
    return 0;
}

int vault_outbox_clear(struct vault *vault, const uint64_t *records, size_t count)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = engine_run(vault, STATEMENT_OUTBOX_DELETE, NUMBERS((int64_t)records[i]));
    return engine_step_end(vault, &step, result);
}

int vault_outbox_find(struct vault *vault, uint64_t record)
{
    int64_t found = 0;
    return engine_ask(vault, STATEMENT_OUTBOX_LEAVING, NUMBERS((int64_t)record), &found);
}

int vault_outbox_add(struct vault *vault, uint64_t record)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = engine_run(vault, STATEMENT_OUTBOX_ADD, NUMBERS((int64_t)record));
    return engine_step_end(vault, &step, result);
}
