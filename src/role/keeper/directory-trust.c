#include <errno.h>

#include "role/keeper/directory-state.h"

int directory_trust_each(struct directory *directory, directory_trust_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_TRUST_EACH, NO_VALUES, &statement);
    while (result == 0 && (result = database_step(statement)) == 1)
        result = row(arg, database_read_number(statement, 0), database_read_number(statement, 1));
    sqlite3_reset(statement);
    return result;
}

int directory_trust_put(struct directory *directory, uint64_t pair, uint64_t at)
{
    int result = directory_change(directory, STATEMENT_TRUST_PUT, VALUES(AS_NUMBER(pair), AS_NUMBER(at)));
    return result < 0 ? result : 0;
}

int directory_trust_trim(struct directory *directory, uint64_t since, uint64_t most)
{
    int result = directory_change(directory, STATEMENT_TRUST_TRIM, VALUES(AS_NUMBER(since), AS_NUMBER(most)));
    return result < 0 ? result : 0;
}

static int key_get(struct directory *directory, uint8_t key[DIRECTORY_TRUST_KEY_SIZE])
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_PROPERTY_GET, VALUES(AS_TEXT("trust-key")), &statement);
    if (result == 0)
        result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    result = database_read_blob(statement, 0, key, DIRECTORY_TRUST_KEY_SIZE) ? (int)DIRECTORY_OK : -EBADMSG;
    sqlite3_reset(statement);
    return result;
}

int directory_trust_key(struct directory *directory, uint8_t ret_key[DIRECTORY_TRUST_KEY_SIZE])
{
    uint8_t made[DIRECTORY_TRUST_KEY_SIZE];
    int result = key_get(directory, ret_key);
    if (result != DIRECTORY_NONE)
        return result;
    random_bytes(made, sizeof(made));
    result = directory_change(directory, STATEMENT_PROPERTY_ADD, VALUES(AS_TEXT("trust-key"), AS_BLOB(made)));
    return result < 0 ? result : key_get(directory, ret_key);
}
