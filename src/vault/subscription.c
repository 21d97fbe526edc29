#include "vault/engine.h"

#define SUBSCRIPTIONS_MAX (2 * VAULT_MAILBOXES_MAX)

static int change(struct vault *vault, enum vault_statement id, const char *name)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, id, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, span_of_text(name));
    if (result == 0)
        result = engine_finish(vault, statement);
    if (result == 0 && id == STATEMENT_UNSUBSCRIBE && sqlite3_changes(vault->database) == 0)
        result = VAULT_NOT_FOUND;
    return result;
}

int vault_subscribe(struct vault *vault, span_t name)
{
    char form[VAULT_NAME_MAX + 1];
    int result = engine_name(name, form);
    if (result != 0)
        return result;
    int64_t count = 0;
    result = engine_ask(vault, STATEMENT_SUBSCRIPTION_COUNT, NO_NUMBERS, &count);
    if (result == 0 && count >= SUBSCRIPTIONS_MAX)
        result = VAULT_LIMIT;
    struct engine_step step;
    if (result == 0)
        result = engine_step_begin(vault, &step);
    return result == 0 ? engine_step_end(vault, &step, change(vault, STATEMENT_SUBSCRIBE, form)) : result;
}

int vault_unsubscribe(struct vault *vault, span_t name)
{
    char form[VAULT_NAME_MAX + 1];
    if (engine_name(name, form) != 0)
        return VAULT_NOT_FOUND;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    return result == 0 ? engine_step_end(vault, &step, change(vault, STATEMENT_UNSUBSCRIBE, form)) : result;
}

int vault_subscription_list(struct vault *vault, vault_name_fn fn, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int prepared = sqlite3_prepare_v2(vault->database, "SELECT name FROM subscription ORDER BY name <> 'INBOX', name",
                                      -1, &statement, NULL);
    int result = engine_fault(vault, prepared);
    if (result == 0)
        result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        result = fn(arg, (const char *)sqlite3_column_text(statement, 0));
        if (result != 0)
            break;
        result = engine_next(vault, statement);
    }
    (void)sqlite3_finalize(statement);
    return result;
}
