#include <errno.h>
#include <string.h>

#include "role/keeper/directory-state.h"

/* --- domains --- */

int directory_domain_id(struct directory *directory, const char *domain, uint64_t *ret_id)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_DOMAIN_FIND, VALUES(AS_TEXT(domain)), &statement);
    if (result != 0)
        return result;
    result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    *ret_id = database_read_number(statement, 0);
    sqlite3_reset(statement);
    return DIRECTORY_OK;
}

int directory_domain_exists(struct directory *directory, const char *domain)
{
    uint64_t id = 0;
    return directory_domain_id(directory, domain, &id);
}

/* What a change of one row means where there was none to change. */
static int outcome_of(int changed, enum directory_result otherwise)
{
    return changed < 0 ? changed : changed > 0 ? (int)DIRECTORY_OK : (int)otherwise;
}

int directory_domain_add(struct directory *directory, const char *domain)
{
    return outcome_of(directory_change(directory, STATEMENT_DOMAIN_ADD, VALUES(AS_TEXT(domain))), DIRECTORY_EXISTS);
}

int directory_domain_remove(struct directory *directory, const char *domain)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_DOMAIN_USED, VALUES(AS_TEXT(domain)), &statement);
    if (result == 0) {
        result = database_step(statement);
        sqlite3_reset(statement);
    }
    if (result != 0)
        return result < 0 ? result : (int)DIRECTORY_IN_USE;
    return outcome_of(directory_change(directory, STATEMENT_DOMAIN_REMOVE, VALUES(AS_TEXT(domain))), DIRECTORY_NONE);
}

int directory_domain_each(struct directory *directory, const char *after, directory_name_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_DOMAIN_EACH, VALUES(AS_TEXT(after)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1)
        result = row(arg, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_reset(statement);
    return result;
}

/* --- accounts --- */

static int account_read(sqlite3_stmt *statement, struct account *account)
{
    account->id = database_read_number(statement, 0);
    account->state = (enum account_state)database_read_number(statement, 3);
    account->quota = database_read_number(statement, 4);
    account->created = database_read_number(statement, 6);
    account->limits.per_hour[SPENDING_RECIPIENTS] = database_read_number(statement, 7);
    account->limits.per_hour[SPENDING_MESSAGES] = database_read_number(statement, 8);
    bool fits = database_read_text(statement, 1, account->address, sizeof(account->address)) &&
                database_read_blob(statement, 2, account->public_key, sizeof(account->public_key)) &&
                database_read_blob(statement, 5, account->scram_salt, sizeof(account->scram_salt));
    return fits ? 0 : -EBADMSG;
}

/* How it stands at an address: the account's own, or a further one that leads there too. */
enum ownership { FURTHER, OWN };

static int address_insert(struct directory *directory, uint64_t domain, const struct name *name, uint64_t account,
                          enum ownership ownership)
{
    int changed =
        directory_change(directory, STATEMENT_ADDRESS_ADD,
                         VALUES(AS_NUMBER(domain), AS_TEXT(name->local), AS_NUMBER(account), AS_NUMBER(ownership)));
    return outcome_of(changed, DIRECTORY_EXISTS);
}

int directory_account_add(struct directory *directory, const struct name *name, struct account *account)
{
    struct directory_place place;
    int result = directory_address_look_up(directory, name, &place);
    if (result != DIRECTORY_NONE)
        return result == DIRECTORY_OK ? (int)DIRECTORY_EXISTS : result;
    sqlite3_snprintf(sizeof(account->address), account->address, "%s@%s", name->local, name->domain);
    result =
        directory_change(directory, STATEMENT_ACCOUNT_ADD,
                         VALUES(AS_TEXT(account->address), AS_BLOB(account->public_key), AS_NUMBER(account->state),
                                AS_NUMBER(account->quota), AS_BLOB(account->scram_salt), AS_NUMBER(account->created)));
    if (result < 0)
        return result;
    account->id = (uint64_t)sqlite3_last_insert_rowid(directory->database.sqlite);
    return address_insert(directory, place.domain, name, account->id, OWN);
}

int directory_account_get(struct directory *directory, uint64_t id, struct account *ret_account)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_ACCOUNT_GET, VALUES(AS_NUMBER(id)), &statement);
    if (result != 0)
        return result;
    result = database_step(statement);
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
    result = directory_query(directory, STATEMENT_ADDRESS_TARGETS, VALUES(AS_NUMBER(domain), AS_TEXT(name->local)),
                             &statement);
    if (result != 0)
        return result;
    result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    uint64_t id = database_read_number(statement, 0);
    result = database_step(statement);
    sqlite3_reset(statement);
    if (result != 0)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    return directory_account_get(directory, id, ret_account);
}

int directory_account_set_state(struct directory *directory, uint64_t id, enum account_state state)
{
    return outcome_of(directory_change(directory, STATEMENT_ACCOUNT_STATE, VALUES(AS_NUMBER(id), AS_NUMBER(state))),
                      DIRECTORY_NONE);
}

int directory_account_set_limits(struct directory *directory, const struct account *account)
{
    return outcome_of(directory_change(directory, STATEMENT_ACCOUNT_LIMITS,
                                       VALUES(AS_NUMBER(account->id), AS_NUMBER(account->quota),
                                              AS_NUMBER(account->limits.per_hour[SPENDING_RECIPIENTS]),
                                              AS_NUMBER(account->limits.per_hour[SPENDING_MESSAGES]))),
                      DIRECTORY_NONE);
}

int directory_account_set_full(struct directory *directory, uint64_t id, uint32_t is_full)
{
    return outcome_of(
        directory_change(directory, STATEMENT_ACCOUNT_FULL, VALUES(AS_NUMBER(id), AS_NUMBER(is_full != 0))),
        DIRECTORY_NONE);
}

int directory_account_remove(struct directory *directory, uint64_t id)
{
    return outcome_of(directory_change(directory, STATEMENT_ACCOUNT_REMOVE, VALUES(AS_NUMBER(id))), DIRECTORY_NONE);
}

int directory_account_each(struct directory *directory, const char *after, directory_account_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_ACCOUNT_EACH, VALUES(AS_TEXT(after)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
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
    struct directory_place place;
    int result = directory_address_look_up(directory, name, &place);
    if (result < 0 || result == DIRECTORY_NO_DOMAIN)
        return result;
    if (result == DIRECTORY_OK && place.own)
        return DIRECTORY_IN_USE;
    return address_insert(directory, place.domain, name, account, FURTHER);
}
