#include <errno.h>

#include "role/keeper/directory-state.h"

static int key_get(struct directory *directory, const char *name, uint8_t key[DIRECTORY_HASH_KEY_SIZE])
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_PROPERTY_GET, VALUES(AS_TEXT(name)), &statement);
    if (result == 0)
        result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    result = database_read_blob(statement, 0, key, DIRECTORY_HASH_KEY_SIZE) ? (int)DIRECTORY_OK : -EBADMSG;
    sqlite3_reset(statement);
    return result;
}

int directory_hash_key(struct directory *directory, const char *name, uint8_t ret_key[DIRECTORY_HASH_KEY_SIZE])
{
    uint8_t made[DIRECTORY_HASH_KEY_SIZE];
    int result = key_get(directory, name, ret_key);
    if (result != DIRECTORY_NONE)
        return result;
    random_bytes(made, sizeof(made));
    result = directory_change(directory, STATEMENT_PROPERTY_ADD, VALUES(AS_TEXT(name), AS_BLOB(made)));
    return result < 0 ? result : key_get(directory, name, ret_key);
}
