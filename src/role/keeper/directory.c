#include "role/keeper/directory.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "role/keeper/directory-state.h"
#include "vault/vfs.h"

#define SCHEMA_VERSION 4

/* One element per version of the schema: what leads to it from the one before. */
static const char *const migrations[SCHEMA_VERSION] = {
    "CREATE TABLE domain("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE account("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used twice: keys and records are bound to it */
    "  address TEXT NOT NULL,"
    "  public_key BLOB NOT NULL,"
    "  state INTEGER NOT NULL,"
    "  quota INTEGER NOT NULL,"
    "  scram_salt BLOB NOT NULL," /* one per account: SCRAM names it before it can know which app password comes */
    "  created INTEGER NOT NULL);"
    "CREATE TABLE address("
    "  domain INTEGER NOT NULL REFERENCES domain(id),"
    "  local TEXT NOT NULL," /* empty: the catch-all */
    "  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    "  own INTEGER NOT NULL,"
    "  PRIMARY KEY(domain, local, account)) WITHOUT ROWID;"
    "CREATE INDEX address_account ON address(account);"
    "CREATE TABLE credential("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    "  kind INTEGER NOT NULL,"
    "  label TEXT NOT NULL,"
    "  scope INTEGER NOT NULL,"
    "  salt BLOB NOT NULL,"
    "  memory INTEGER NOT NULL,"
    "  passes INTEGER NOT NULL,"
    "  verifier BLOB NOT NULL,"
    "  wrapped BLOB NOT NULL,"
    "  stored_key BLOB NOT NULL,"
    "  server_key BLOB NOT NULL,"
    "  scram_wrapped BLOB NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  used INTEGER NOT NULL);"
    "CREATE INDEX credential_account ON credential(account, kind);",
    "CREATE INDEX account_address ON account(address);" /* for lists, a page at a time */
    "CREATE TABLE property(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE trust(" /* where an account's owner logged in lately: a keyed hash of the two, and when */
    "  pair INTEGER PRIMARY KEY,"
    "  at INTEGER NOT NULL);",
    "ALTER TABLE account ADD COLUMN is_full INTEGER NOT NULL DEFAULT 0;",
    "CREATE TABLE dkim("
    "  domain INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,"
    "  selector TEXT NOT NULL,"
    "  algorithm INTEGER NOT NULL,"
    "  since INTEGER NOT NULL," /* seconds since 1970 from which on it signs */
    "  private BLOB NOT NULL,"
    "  PRIMARY KEY(domain, selector)) WITHOUT ROWID;",
};

static const char *const texts[STATEMENT_COUNT] = {
#define X(name, text) [STATEMENT_##name] = (text),
    STATEMENTS(X)
#undef X
};

static void bind(sqlite3_stmt *statement, int at, const struct directory_value *value)
{
    if (value->kind == VALUE_NUMBER)
        sqlite3_bind_int64(statement, at, (sqlite3_int64)value->number);
    else if (value->kind == VALUE_TEXT)
        sqlite3_bind_text(statement, at, value->bytes, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_blob64(statement, at, value->bytes, value->len, SQLITE_TRANSIENT);
}

int directory_query(struct directory *directory, enum statement which, struct directory_values values,
                    sqlite3_stmt **ret_statement)
{
    if (directory->statements[which] == NULL) {
        int code = sqlite3_prepare_v3(directory->database, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                      &directory->statements[which], NULL);
        if (code != SQLITE_OK)
            return vfs_fault(code);
    }
    sqlite3_stmt *statement = directory->statements[which];
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    for (size_t at = 0; at < values.count; at++)
        bind(statement, (int)at + 1, &values.at[at]);
    *ret_statement = statement;
    return 0;
}

int directory_step(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? 0 : vfs_fault(code);
}

int directory_change(struct directory *directory, enum statement which, struct directory_values values)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, which, values, &statement);
    if (result != 0)
        return result;
    result = directory_step(statement);
    sqlite3_reset(statement);
    return result < 0 ? result : sqlite3_changes(directory->database);
}

bool directory_read_blob(sqlite3_stmt *statement, int column, void *into, size_t len)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    if (bytes == NULL || (size_t)sqlite3_column_bytes(statement, column) != len)
        return false;
    memcpy(into, bytes, len);
    return true;
}

uint64_t directory_read_number(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

bool directory_read_text(sqlite3_stmt *statement, int column, char *into, size_t room)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    size_t len = (size_t)sqlite3_column_bytes(statement, column);
    if (text == NULL || len >= room)
        return false;
    memcpy(into, text, len);
    into[len] = '\0';
    return true;
}

static int schema_version(sqlite3 *database, int *ret_version)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret_version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? 0 : vfs_fault(code);
}

static int migrate(struct directory *directory)
{
    int version = 0;
    int result = schema_version(directory->database, &version);
    if (result != 0)
        return result;
    if (version > SCHEMA_VERSION)
        return -ENOTSUP;
    for (; version < SCHEMA_VERSION; version++) {
        char mark[64];
        sqlite3_snprintf(sizeof(mark), mark, "PRAGMA user_version = %d; COMMIT", version + 1);
        int code = sqlite3_exec(directory->database, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_exec(directory->database, migrations[version], NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_exec(directory->database, mark, NULL, NULL, NULL);
        if (code != SQLITE_OK)
            return vfs_fault(code);
    }
    /* What was removed is overwritten: the wrapped secrets of a removed account are the last way to its mail. */
    return vfs_fault(sqlite3_exec(directory->database, "PRAGMA secure_delete = ON", NULL, NULL, NULL));
}

int directory_open(const char *path, const uint8_t key[32], struct directory **ret_directory)
{
    AUTO(directory) struct directory *directory = mem_new(sizeof(*directory));
    if (directory == NULL)
        return -ENOMEM;
    int result = vfs_open(path, key, &directory->database);
    if (result == 0)
        result = migrate(directory);
    if (result == 0)
        *ret_directory = TAKE(directory);
    return result;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL)
        return;
    for (size_t at = 0; at < STATEMENT_COUNT; at++)
        sqlite3_finalize(directory->statements[at]);
    sqlite3_close(directory->database);
    scope_free(&directory);
}

/* BEGIN, COMMIT, ROLLBACK: what they count as changed is of an earlier statement. */
static int run_plain(struct directory *directory, enum statement which)
{
    int result = directory_change(directory, which, NO_VALUES);
    return result < 0 ? result : 0;
}

int directory_begin(struct directory *directory)
{
    return run_plain(directory, STATEMENT_BEGIN);
}

int directory_commit(struct directory *directory)
{
    int result = run_plain(directory, STATEMENT_COMMIT);
    if (result != 0)
        directory_rollback(directory);
    return result;
}

void directory_rollback(struct directory *directory)
{
    if (sqlite3_get_autocommit(directory->database) == 0)
        (void)!run_plain(directory, STATEMENT_ROLLBACK);
}

int directory_count(struct directory *directory, struct directory_counts *ret_counts)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_COUNTS, NO_VALUES, &statement);
    if (result == 0)
        result = directory_step(statement);
    if (result < 0)
        return result;
    ret_counts->domains = directory_read_number(statement, 0);
    ret_counts->accounts = directory_read_number(statement, 1);
    sqlite3_reset(statement);
    return 0;
}
