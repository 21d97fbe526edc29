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
