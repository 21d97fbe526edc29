#include "role/keeper/directory-state.h"

int directory_forward_add(struct directory *directory, const struct name *name, const char *target)
{
    uint64_t domain = 0;
    int result = directory_domain_id(directory, name->domain, &domain);
    if (result != DIRECTORY_OK)
        return result < 0 ? result : (int)DIRECTORY_NO_DOMAIN;
    result = directory_change(directory, STATEMENT_FORWARD_ADD,
                              VALUES(AS_NUMBER(domain), AS_TEXT(name->local), AS_TEXT(target)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_EXISTS;
}

int directory_forward_remove(struct directory *directory, const struct name *name, const char *target)
{
    uint64_t domain = 0;
    int result = directory_domain_id(directory, name->domain, &domain);
    if (result != DIRECTORY_OK)
        return result;
    result = directory_change(directory, STATEMENT_FORWARD_REMOVE,
                              VALUES(AS_NUMBER(domain), AS_TEXT(name->local), AS_TEXT(target)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_NONE;
}

int directory_forward_count(struct directory *directory, const struct name *name)
{
    uint64_t domain = 0;
    sqlite3_stmt *statement = NULL;
    int count = 0;
    int result = directory_domain_id(directory, name->domain, &domain);
    if (result != DIRECTORY_OK)
        return result < 0 ? result : 0;
    result = directory_query(directory, STATEMENT_FORWARD_TARGETS, VALUES(AS_NUMBER(domain), AS_TEXT(name->local)),
                             &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        count++;
        result = 0;
    }
    return result < 0 ? result : count;
}

int directory_forward_each(struct directory *directory, const struct directory_forward *after,
                           directory_forward_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result =
        directory_query(directory, STATEMENT_FORWARD_EACH,
                        VALUES(AS_TEXT(after->domain), AS_TEXT(after->local), AS_TEXT(after->target)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        const struct directory_forward forward = {.local = (const char *)sqlite3_column_text(statement, 0),
                                                  .domain = (const char *)sqlite3_column_text(statement, 1),
                                                  .target = (const char *)sqlite3_column_text(statement, 2)};
        result = row(arg, &forward);
    }
    sqlite3_reset(statement);
    return result;
}
