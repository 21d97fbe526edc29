#include <errno.h>

#include "role/keeper/directory-state.h"

int directory_conduct_get(struct directory *directory, uint64_t account, struct conduct *ret_conduct)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_CONDUCT_GET, VALUES(AS_NUMBER(account)), &statement);
    if (result == 0)
        result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    const void *past = sqlite3_column_blob(statement, 0);
    result = conduct_read(span_of(past, (size_t)sqlite3_column_bytes(statement, 0)), ret_conduct);
    sqlite3_reset(statement);
    return result;
}

int directory_conduct_put(struct directory *directory, uint64_t account, const struct conduct *conduct)
{
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, CONDUCT_BYTES_MAX);
    int result = conduct_write(conduct, &bytes);
    if (result < 0)
        return result;
    span_t past = buf_span(&bytes);
    result = directory_change(directory, STATEMENT_CONDUCT_PUT, VALUES(AS_NUMBER(account), AS_BYTES(past)));
    return result < 0 ? result : 0;
}

/* --- holds -------------------------------------------------------------------------------------------------------- */

int directory_hold_put(struct directory *directory, const struct directory_hold *hold)
{
    int result = directory_change(directory, STATEMENT_HOLD_PUT,
                                  VALUES(AS_NUMBER(hold->account), AS_TEXT(hold->address), AS_NUMBER(hold->why),
                                         AS_NUMBER(hold->since), AS_NUMBER(hold->seen), AS_NUMBER(hold->usual),
                                         AS_NUMBER(hold->is_told)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_EXISTS;
}

static int hold_read(sqlite3_stmt *statement, struct directory_hold *hold)
{
    *hold = (struct directory_hold){.account = database_read_number(statement, 0),
                                    .why = (uint32_t)database_read_number(statement, 2),
                                    .since = database_read_number(statement, 3),
                                    .seen = database_read_number(statement, 4),
                                    .usual = database_read_number(statement, 5),
                                    .is_told = database_read_number(statement, 6) != 0};
    return database_read_text(statement, 1, hold->address, sizeof(hold->address)) ? 0 : -EBADMSG;
}

int directory_hold_each(struct directory *directory, directory_hold_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    struct directory_hold hold;
    int result = directory_query(directory, STATEMENT_HOLD_EACH, NO_VALUES, &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        result = hold_read(statement, &hold);
        if (result == 0)
            result = row(arg, &hold);
    }
    sqlite3_reset(statement);
    return result;
}

static int hold_one(struct directory *directory, enum statement which, struct database_values values,
                    struct directory_hold *ret_hold)
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, which, values, &statement);
    if (result == 0)
        result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    result = hold_read(statement, ret_hold);
    sqlite3_reset(statement);
    return result;
}

int directory_hold_get(struct directory *directory, uint64_t account, struct directory_hold *ret_hold)
{
    return hold_one(directory, STATEMENT_HOLD_GET, VALUES(AS_NUMBER(account)), ret_hold);
}

int directory_hold_find(struct directory *directory, const char *address, struct directory_hold *ret_hold)
{
    return hold_one(directory, STATEMENT_HOLD_FIND, VALUES(AS_TEXT(address)), ret_hold);
}

int directory_hold_told(struct directory *directory, uint64_t account)
{
    int result = directory_change(directory, STATEMENT_HOLD_TOLD, VALUES(AS_NUMBER(account)));
    return result < 0 ? result : 0;
}

int directory_hold_remove(struct directory *directory, uint64_t account)
{
    int result = directory_change(directory, STATEMENT_HOLD_REMOVE, VALUES(AS_NUMBER(account)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_NONE;
}
