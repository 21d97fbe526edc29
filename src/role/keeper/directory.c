#include "role/keeper/directory.h"

#include <errno.h>

#include "base/mem.h"
#include "role/keeper/directory-state.h"

#define SCHEMA_VERSION 7

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
    "CREATE TABLE forward(" /* an address, which may lead to accounts, too, and one elsewhere that its mail is sent on
                               to */
    "  domain INTEGER NOT NULL REFERENCES domain(id),"
    "  local TEXT NOT NULL," /* empty: the catch-all */
    "  target TEXT NOT NULL,"
    "  PRIMARY KEY(domain, local, target)) WITHOUT ROWID;"
    /* Its own address may be given to somebody else, whose mail is not to go where this one's went. */
    "CREATE TRIGGER account_forward BEFORE DELETE ON account BEGIN"
    "  DELETE FROM forward WHERE (domain, local) IN"
    "    (SELECT domain, local FROM address WHERE account = old.id AND own = 1);"
    "END;",
    "CREATE TABLE conduct(" /* how an account uses to write (conduct.h) */
    "  account INTEGER PRIMARY KEY REFERENCES account(id) ON DELETE CASCADE,"
    "  past BLOB NOT NULL);"
    "CREATE TABLE hold(" /* accounts whose mail is held; one that is removed is still of this list */
    "  account INTEGER PRIMARY KEY,"
    "  address TEXT NOT NULL,"
    "  why INTEGER NOT NULL,"
    "  since INTEGER NOT NULL,"
    "  seen INTEGER NOT NULL,"
    "  usual INTEGER NOT NULL,"
    "  is_told INTEGER NOT NULL);",
    ("ALTER TABLE account ADD COLUMN recipients_per_hour INTEGER NOT NULL DEFAULT -1;" /* SPENDING_DEFAULT */
     "ALTER TABLE account ADD COLUMN messages_per_hour INTEGER NOT NULL DEFAULT -1;"),
};

static const char *const texts[STATEMENT_COUNT] = {
#define X(name, text) [STATEMENT_##name] = (text),
    STATEMENTS(X)
#undef X
};

static const struct database_plan plan = {
    .migrations = migrations, .version = SCHEMA_VERSION, .statements = texts, .statement_count = STATEMENT_COUNT};

int directory_query(struct directory *directory, enum statement which, struct database_values values,
                    sqlite3_stmt **ret_statement)
{
    return database_query(&directory->database, which, values, ret_statement);
}

int directory_change(struct directory *directory, enum statement which, struct database_values values)
{
    return database_change(&directory->database, which, values);
}

int directory_open(const char *path, const uint8_t key[32], struct directory **ret_directory)
{
    AUTO(directory) struct directory *directory = mem_new(sizeof(*directory));
    if (directory == NULL)
        return -ENOMEM;
    int result = database_open(path, key, &plan, &directory->database);
    if (result == 0)
        *ret_directory = TAKE(directory);
    return result;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL)
        return;
    database_close(&directory->database);
    scope_free(&directory);
}

int directory_begin(struct directory *directory)
{
    return database_begin(&directory->database);
}

int directory_commit(struct directory *directory)
{
    return database_commit(&directory->database);
}

void directory_rollback(struct directory *directory)
{
    database_rollback(&directory->database);
}

int directory_count(struct directory *directory, struct directory_counts *ret_counts)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_COUNTS, NO_VALUES, &statement);
    if (result == 0)
        result = database_step(statement);
    if (result < 0)
        return result;
    ret_counts->domains = database_read_number(statement, 0);
    ret_counts->accounts = database_read_number(statement, 1);
    sqlite3_reset(statement);
    return 0;
}
