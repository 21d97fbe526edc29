#include "role/keeper/database.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "vault/vfs.h"

static void bind(sqlite3_stmt *statement, int at, const struct database_value *value)
{
    if (value->kind == VALUE_NUMBER)
        sqlite3_bind_int64(statement, at, (sqlite3_int64)value->number);
    else if (value->kind == VALUE_TEXT)
        sqlite3_bind_text(statement, at, value->bytes, -1, SQLITE_TRANSIENT);
    else if (value->kind == VALUE_SPAN)
        sqlite3_bind_text(statement, at, value->len == 0 ? "" : value->bytes, (int)value->len, SQLITE_TRANSIENT);
    else if (value->len == 0)
        sqlite3_bind_zeroblob(statement, at, 0); /* none at all would be NULL */
    else
        sqlite3_bind_blob64(statement, at, value->bytes, value->len, SQLITE_TRANSIENT);
}

int database_query(struct database *database, size_t which, struct database_values values, sqlite3_stmt **ret_statement)
{
    if (database->statements[which] == NULL) {
        int code = sqlite3_prepare_v3(database->sqlite, database->plan->statements[which], -1,
                                      SQLITE_PREPARE_PERSISTENT, &database->statements[which], NULL);
        if (code != SQLITE_OK)
            return vfs_fault(code);
    }
    sqlite3_stmt *statement = database->statements[which];
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    for (size_t at = 0; at < values.count; at++)
        bind(statement, (int)at + 1, &values.at[at]);
    *ret_statement = statement;
    return 0;
}

int database_step(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? 0 : vfs_fault(code);
}

int database_change(struct database *database, size_t which, struct database_values values)
{
    sqlite3_stmt *statement = NULL;
    int result = database_query(database, which, values, &statement);
    if (result != 0)
        return result;
    result = database_step(statement);
    sqlite3_reset(statement);
    return result < 0 ? result : sqlite3_changes(database->sqlite);
}

bool database_read_blob(sqlite3_stmt *statement, int column, void *into, size_t len)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    if (bytes == NULL || (size_t)sqlite3_column_bytes(statement, column) != len)
        return false;
    memcpy(into, bytes, len);
    return true;
}

uint64_t database_read_number(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

bool database_read_text(sqlite3_stmt *statement, int column, char *into, size_t room)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    size_t len = (size_t)sqlite3_column_bytes(statement, column);
    if (text == NULL || len >= room)
        return false;
    memcpy(into, text, len);
    into[len] = '\0';
    return true;
}

static int schema_version(sqlite3 *sqlite, int *ret_version)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sqlite, "PRAGMA user_version", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret_version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? 0 : vfs_fault(code);
}

static int migrate(struct database *database)
{
    int version = 0;
    int result = schema_version(database->sqlite, &version);
    if (result != 0)
        return result;
    if (version > (int)database->plan->version)
        return -ENOTSUP;
    for (; version < (int)database->plan->version; version++) {
        char mark[64];
        sqlite3_snprintf(sizeof(mark), mark, "PRAGMA user_version = %d; COMMIT", version + 1);
        int code = sqlite3_exec(database->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_exec(database->sqlite, database->plan->migrations[version], NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_exec(database->sqlite, mark, NULL, NULL, NULL);
        if (code != SQLITE_OK)
            return vfs_fault(code);
    }
    /* What was removed is overwritten: the wrapped secrets of a removed account are the last way to its mail. */
    return vfs_fault(sqlite3_exec(database->sqlite, "PRAGMA secure_delete = ON", NULL, NULL, NULL));
}

int database_open(const char *path, const uint8_t key[32], const struct database_plan *plan,
                  struct database *ret_database)
{
    struct database database = {.plan = plan};
    assert(plan->statement_count <= DATABASE_STATEMENTS_MAX);
    int result = vfs_open(path, key, &database.sqlite);
    if (result == 0)
        result = migrate(&database);
    if (result != 0) {
        database_close(&database);
        return result;
    }
    *ret_database = database;
    return 0;
}

void database_close(struct database *database)
{
    if (database->sqlite == NULL)
        return;
    for (size_t at = 0; at < database->plan->statement_count; at++)
        sqlite3_finalize(database->statements[at]);
    sqlite3_close(database->sqlite);
    *database = (struct database){0};
}

int database_begin(struct database *database)
{
    return vfs_fault(sqlite3_exec(database->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL));
}

int database_commit(struct database *database)
{
    int result = vfs_fault(sqlite3_exec(database->sqlite, "COMMIT", NULL, NULL, NULL));
    if (result != 0)
        database_rollback(database);
    return result;
}

void database_rollback(struct database *database)
{
    if (sqlite3_get_autocommit(database->sqlite) == 0)
        (void)sqlite3_exec(database->sqlite, "ROLLBACK", NULL, NULL, NULL);
}
