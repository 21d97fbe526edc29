#include <errno.h>
#include <string.h>

#include "role/keeper/directory-state.h"

/* --- domains --- */

int directory_domain_id(struct directory *directory, const char *domain, uint64_t *ret_id)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_DOMAIN_FIND, &statement);
    if (result != 0)
        return result;
    directory_bind_text(statement, 1, domain);
    result = directory_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    *ret_id = directory_read_number(statement, 0);
    sqlite3_reset(statement);
    return DIRECTORY_OK;
}

int directory_domain_exists(struct directory *directory, const char *domain)
{
    uint64_t id = 0;
    return directory_domain_id(directory, domain, &id);
}

int directory_domain_add(struct directory *directory, const char *domain)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_DOMAIN_ADD, &statement);
    if (result != 0)
        return result;
    directory_bind_text(statement, 1, domain);
    result = directory_run(statement);
    if (result != 0)
        return result;
    return sqlite3_changes(directory->database) == 1 ? DIRECTORY_OK : DIRECTORY_EXISTS;
}

int directory_domain_remove(struct directory *directory, const char *domain)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_DOMAIN_USED, &statement);
    if (result != 0)
        return result;
    directory_bind_text(statement, 1, domain);
    result = directory_step(statement);
    sqlite3_reset(statement);
    if (result != 0)
        return result < 0 ? result : (int)DIRECTORY_IN_USE;
    result = directory_statement(directory, STATEMENT_DOMAIN_REMOVE, &statement);
    if (result != 0)
        return result;
    directory_bind_text(statement, 1, domain);
    result = directory_run(statement);
    if (result != 0)
        return result;
    return sqlite3_changes(directory->database) == 1 ? DIRECTORY_OK : DIRECTORY_NONE;
}

int directory_domain_each(struct directory *directory, directory_name_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_DOMAIN_EACH, &statement);
    while (result == 0 && (result = directory_step(statement)) == 1)
        result = row(arg, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_reset(statement);
    return result;
}

/* --- accounts --- */

static int account_read(sqlite3_stmt *statement, struct account *account)
{
    account->id = directory_read_number(statement, 0);
    account->state = (enum account_state)directory_read_number(statement, 3);
    account->quota = directory_read_number(statement, 4);
    account->created = directory_read_number(statement, 6);
    bool fits = directory_read_text(statement, 1, account->address, sizeof(account->address)) &&
                directory_read_blob(statement, 2, account->public_key, sizeof(account->public_key)) &&
                directory_read_blob(statement, 5, account->scram_salt, sizeof(account->scram_salt));
    return fits ? 0 : -EBADMSG;
}

static int address_insert(struct directory *directory, const struct name *name, uint64_t account, uint64_t own)
{
    sqlite3_stmt *statement = NULL;
    uint64_t domain = 0;
    int result = directory_domain_id(directory, name->domain, &domain);
    if (result != DIRECTORY_OK)
        return result < 0 ? result : (int)DIRECTORY_NO_DOMAIN;
    result = directory_statement(directory, STATEMENT_ADDRESS_ADD, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, domain);
    directory_bind_text(statement, 2, name->local);
    directory_bind_number(statement, 3, account);
    directory_bind_number(statement, 4, own);
    result = directory_run(statement);
    if (result != 0)
        return result;
    return sqlite3_changes(directory->database) == 1 ? DIRECTORY_OK : DIRECTORY_EXISTS;
}

int directory_account_add(struct directory *directory, const struct name *name, struct account *account)
{
    int result = directory_address_exists(directory, name);
    if (result != DIRECTORY_NONE)
        return result == DIRECTORY_OK ? (int)DIRECTORY_EXISTS : result;
    sqlite3_snprintf(sizeof(account->address), account->address, "%s@%s", name->local, name->domain);
    sqlite3_stmt *statement = NULL;
    result = directory_statement(directory, STATEMENT_ACCOUNT_ADD, &statement);
    if (result != 0)
        return result;
    directory_bind_text(statement, 1, account->address);
    directory_bind_blob(statement, 2, account->public_key, sizeof(account->public_key));
    directory_bind_number(statement, 3, account->state);
    directory_bind_number(statement, 4, account->quota);
    directory_bind_blob(statement, 5, account->scram_salt, sizeof(account->scram_salt));
    directory_bind_number(statement, 6, account->created);
    result = directory_run(statement);
    if (result != 0)
        return result;
    account->id = (uint64_t)sqlite3_last_insert_rowid(directory->database);
    return address_insert(directory, name, account->id, 1);
}

int directory_account_get(struct directory *directory, uint64_t id, struct account *ret_account)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_ACCOUNT_GET, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, id);
    result = directory_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    result = account_read(statement, ret_account);
    sqlite3_reset(statement);
    return result;
}

int directory_account_find(struct directory *directory, const struct name *name, struct account *ret_account)
{
    uint64_t domain = 0;
    sqlite3_stmt *statement = NULL;
    int result = directory_domain_id(directory, name->domain, &domain);
    if (result != DIRECTORY_OK)
        return result;
    result = directory_statement(directory, STATEMENT_ADDRESS_TARGETS, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, domain);
    directory_bind_text(statement, 2, name->local);
    result = directory_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    uint64_t id = directory_read_number(statement, 0);
    result = directory_step(statement);
    sqlite3_reset(statement);
    if (result != 0)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    return directory_account_get(directory, id, ret_account);
}

static int change_one(struct directory *directory, sqlite3_stmt *statement)
{
    int result = directory_run(statement);
    if (result != 0)
        return result;
    return sqlite3_changes(directory->database) > 0 ? DIRECTORY_OK : DIRECTORY_NONE;
}

int directory_account_set_public_key(struct directory *directory, uint64_t id, const uint8_t key[32])
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_ACCOUNT_PUBLIC_KEY, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, id);
    directory_bind_blob(statement, 2, key, 32);
    return change_one(directory, statement);
}

int directory_account_set_state(struct directory *directory, uint64_t id, enum account_state state)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_ACCOUNT_STATE, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, id);
    directory_bind_number(statement, 2, state);
    return change_one(directory, statement);
}

int directory_account_remove(struct directory *directory, uint64_t id)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_ACCOUNT_REMOVE, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, id);
    return change_one(directory, statement);
}

int directory_account_each(struct directory *directory, directory_account_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_ACCOUNT_EACH, &statement);
    while (result == 0 && (result = directory_step(statement)) == 1) {
        struct account account;
        result = account_read(statement, &account);
        if (result == 0)
            result = row(arg, &account);
    }
    sqlite3_reset(statement);
    return result;
}

int directory_address_add(struct directory *directory, const struct name *name, uint64_t account)
{
    uint64_t domain = 0;
    sqlite3_stmt *statement = NULL;
    int result = directory_domain_id(directory, name->domain, &domain);
    if (result != DIRECTORY_OK)
        return result < 0 ? result : (int)DIRECTORY_NO_DOMAIN;
    result = directory_statement(directory, STATEMENT_ADDRESS_OWN, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, domain);
    directory_bind_text(statement, 2, name->local);
    result = directory_step(statement);
    bool own = result == 1 && directory_read_number(statement, 0) == 1;
    sqlite3_reset(statement);
    if (result < 0)
        return result;
    return own ? (int)DIRECTORY_IN_USE : address_insert(directory, name, account, 0);
}
