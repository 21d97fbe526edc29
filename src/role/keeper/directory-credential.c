#include <errno.h>
#include <string.h>

#include "role/keeper/directory-state.h"

int directory_credential_add(struct directory *directory, struct credential *credential)
{
    int result = directory_change(
        directory, STATEMENT_CREDENTIAL_ADD,
        VALUES(AS_NUMBER(credential->account), AS_NUMBER(credential->kind), AS_TEXT(credential->label),
               AS_NUMBER(credential->scope), AS_BLOB(credential->params.salt), AS_NUMBER(credential->params.memory_kib),
               AS_NUMBER(credential->params.passes), AS_BLOB(credential->verifier), AS_BLOB(credential->wrapped),
               AS_BLOB(credential->stored_key), AS_BLOB(credential->server_key), AS_BLOB(credential->scram_wrapped),
               AS_NUMBER(credential->created)));
    if (result < 0)
        return result;
    credential->id = (uint64_t)sqlite3_last_insert_rowid(directory->database.sqlite);
    return 0;
}

int directory_credential_rehash(struct directory *directory, const struct credential *credential)
{
    int result = directory_change(directory, STATEMENT_CREDENTIAL_REHASH,
                                  VALUES(AS_NUMBER(credential->id), AS_BLOB(credential->params.salt),
                                         AS_NUMBER(credential->params.memory_kib), AS_NUMBER(credential->params.passes),
                                         AS_BLOB(credential->verifier), AS_BLOB(credential->wrapped)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_NONE;
}

static int credential_read(sqlite3_stmt *statement, struct credential *credential)
{
    credential->id = database_read_number(statement, 0);
    credential->account = database_read_number(statement, 1);
    credential->kind = (enum credential_kind)database_read_number(statement, 2);
    credential->scope = (uint32_t)database_read_number(statement, 4);
    credential->params.memory_kib = (uint32_t)database_read_number(statement, 6);
    credential->params.passes = (uint32_t)database_read_number(statement, 7);
    credential->created = database_read_number(statement, 13);
    credential->used = database_read_number(statement, 14);
    bool fits = database_read_text(statement, 3, credential->label, sizeof(credential->label)) &&
                database_read_blob(statement, 5, credential->params.salt, sizeof(credential->params.salt)) &&
                database_read_blob(statement, 8, credential->verifier, sizeof(credential->verifier)) &&
                database_read_blob(statement, 9, credential->wrapped, sizeof(credential->wrapped)) &&
                database_read_blob(statement, 10, credential->stored_key, sizeof(credential->stored_key)) &&
                database_read_blob(statement, 11, credential->server_key, sizeof(credential->server_key)) &&
                database_read_blob(statement, 12, credential->scram_wrapped, sizeof(credential->scram_wrapped));
    return fits ? 0 : -EBADMSG;
}

int directory_credential_each(struct directory *directory, uint64_t account, enum credential_kind kind, uint64_t after,
                              directory_credential_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_CREDENTIAL_EACH,
                                 VALUES(AS_NUMBER(account), AS_NUMBER(kind), AS_NUMBER(after)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        struct credential credential;
        result = credential_read(statement, &credential);
        if (result == 0)
            result = row(arg, &credential);
    }
    sqlite3_reset(statement);
    return result;
}

struct first {
    struct credential *into;
    bool found;
};

static int first_row(void *arg, const struct credential *credential)
{
    struct first *first = arg;
    *first->into = *credential;
    first->found = true;
    return 0;
}

int directory_credential_get(struct directory *directory, uint64_t account, enum credential_kind kind,
                             struct credential *ret_credential)
{
    struct first first = {.into = ret_credential};
    int result = directory_credential_each(directory, account, kind, 0, first_row, &first);
    if (result != 0)
        return result;
    return first.found ? DIRECTORY_OK : DIRECTORY_NONE;
}

int directory_credential_used(struct directory *directory, uint64_t id, uint64_t now)
{
    int result = directory_change(directory, STATEMENT_CREDENTIAL_USED, VALUES(AS_NUMBER(id), AS_NUMBER(now)));
    return result < 0 ? result : 0;
}

int directory_credential_remove(struct directory *directory, uint64_t account, enum credential_kind kind, uint64_t id)
{
    int result = directory_change(directory, STATEMENT_CREDENTIAL_REMOVE,
                                  VALUES(AS_NUMBER(account), AS_NUMBER(kind), AS_NUMBER(id)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_NONE;
}
