#include <errno.h>
#include <string.h>

#include "role/keeper/directory-state.h"

int directory_credential_add(struct directory *directory, struct credential *credential)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_CREDENTIAL_ADD, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, credential->account);
    directory_bind_number(statement, 2, credential->kind);
    directory_bind_text(statement, 3, credential->label);
    directory_bind_number(statement, 4, credential->scope);
    directory_bind_blob(statement, 5, credential->params.salt, sizeof(credential->params.salt));
    directory_bind_number(statement, 6, credential->params.memory_kib);
    directory_bind_number(statement, 7, credential->params.passes);
    directory_bind_blob(statement, 8, credential->verifier, sizeof(credential->verifier));
    directory_bind_blob(statement, 9, credential->wrapped, sizeof(credential->wrapped));
    directory_bind_blob(statement, 10, credential->stored_key, sizeof(credential->stored_key));
    directory_bind_blob(statement, 11, credential->server_key, sizeof(credential->server_key));
    directory_bind_blob(statement, 12, credential->scram_wrapped, sizeof(credential->scram_wrapped));
    directory_bind_number(statement, 13, credential->created);
    result = directory_run(statement);
    if (result == 0)
        credential->id = (uint64_t)sqlite3_last_insert_rowid(directory->database);
    return result;
}

static int credential_read(sqlite3_stmt *statement, struct credential *credential)
{
    credential->id = directory_read_number(statement, 0);
    credential->account = directory_read_number(statement, 1);
    credential->kind = (enum credential_kind)directory_read_number(statement, 2);
    credential->scope = (uint32_t)directory_read_number(statement, 4);
    credential->params.memory_kib = (uint32_t)directory_read_number(statement, 6);
    credential->params.passes = (uint32_t)directory_read_number(statement, 7);
    credential->created = directory_read_number(statement, 13);
    credential->used = directory_read_number(statement, 14);
    bool fits = directory_read_text(statement, 3, credential->label, sizeof(credential->label)) &&
                directory_read_blob(statement, 5, credential->params.salt, sizeof(credential->params.salt)) &&
                directory_read_blob(statement, 8, credential->verifier, sizeof(credential->verifier)) &&
                directory_read_blob(statement, 9, credential->wrapped, sizeof(credential->wrapped)) &&
                directory_read_blob(statement, 10, credential->stored_key, sizeof(credential->stored_key)) &&
                directory_read_blob(statement, 11, credential->server_key, sizeof(credential->server_key)) &&
                directory_read_blob(statement, 12, credential->scram_wrapped, sizeof(credential->scram_wrapped));
    return fits ? 0 : -EBADMSG;
}

int directory_credential_each(struct directory *directory, uint64_t account, enum credential_kind kind,
                              directory_credential_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_CREDENTIAL_EACH, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, account);
    directory_bind_number(statement, 2, kind);
    while (result == 0 && (result = directory_step(statement)) == 1) {
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
    int result = directory_credential_each(directory, account, kind, first_row, &first);
    if (result != 0)
        return result;
    return first.found ? DIRECTORY_OK : DIRECTORY_NONE;
}

int directory_credential_used(struct directory *directory, uint64_t id, uint64_t now)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_CREDENTIAL_USED, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, id);
    directory_bind_number(statement, 2, now);
    return directory_run(statement);
}

int directory_credential_remove(struct directory *directory, uint64_t account, enum credential_kind kind, uint64_t id)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_statement(directory, STATEMENT_CREDENTIAL_REMOVE, &statement);
    if (result != 0)
        return result;
    directory_bind_number(statement, 1, account);
    directory_bind_number(statement, 2, kind);
    directory_bind_number(statement, 3, id);
    result = directory_run(statement);
    if (result != 0)
        return result;
    return sqlite3_changes(directory->database) > 0 ? DIRECTORY_OK : DIRECTORY_NONE;
}
