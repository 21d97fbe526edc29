#include <errno.h>

#include "role/keeper/directory-state.h"

int directory_dkim_add(struct directory *directory, const char *domain, const struct directory_dkim *key,
                       const struct secret *private_key)
{
    uint64_t id = 0;
    int result = directory_domain_id(directory, domain, &id);
    if (result != DIRECTORY_OK)
        return result;
    const struct database_value blob = {
        .kind = VALUE_BLOB, .bytes = secret_bytes(private_key), .len = secret_len(private_key)};
    result = directory_change(
        directory, STATEMENT_DKIM_ADD,
        VALUES(AS_NUMBER(id), AS_TEXT(key->selector), AS_NUMBER(key->algorithm), AS_NUMBER(key->since), blob));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_EXISTS;
}

int directory_dkim_each(struct directory *directory, const char *domain, directory_dkim_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_DKIM_EACH, VALUES(AS_TEXT(domain)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        struct directory_dkim key = {.algorithm = (uint32_t)database_read_number(statement, 1),
                                     .since = database_read_number(statement, 2)};
        const void *bytes = sqlite3_column_blob(statement, 3);
        const span_t private_key = span_of(bytes, (size_t)sqlite3_column_bytes(statement, 3));
        result = database_read_text(statement, 0, key.selector, sizeof(key.selector)) ? 0 : -EBADMSG;
        if (result == 0)
            result = row(arg, &key, private_key);
    }
    sqlite3_reset(statement);
    return result;
}

int directory_dkim_remove(struct directory *directory, const char *domain, const char *selector)
{
    int result = directory_change(directory, STATEMENT_DKIM_REMOVE, VALUES(AS_TEXT(domain), AS_TEXT(selector)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_NONE;
}
