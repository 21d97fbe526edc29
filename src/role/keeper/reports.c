#include "role/keeper/reports.h"

#include <errno.h>

#include "base/mem.h"
#include "role/keeper/reports-state.h"

#define SCHEMA_VERSION 1

/* One element per version of the schema: what leads to it from the one before. */
static const char *const migrations[SCHEMA_VERSION] = {
    "CREATE TABLE subject(" /* what is counted, for the reports that we send */
    "  id INTEGER PRIMARY KEY,"
    "  kind INTEGER NOT NULL,"
    "  day INTEGER NOT NULL," /* UTC, since 1970 */
    "  domain TEXT NOT NULL,"
    "  context BLOB NOT NULL,"
    "  rows INTEGER NOT NULL,"
    "  UNIQUE(kind, day, domain, context));"
    "CREATE TABLE tally("
    "  subject INTEGER NOT NULL REFERENCES subject(id) ON DELETE CASCADE,"
    "  what BLOB NOT NULL,"
    "  count INTEGER NOT NULL,"
    "  PRIMARY KEY(subject, what)) WITHOUT ROWID;",
};

static const char *const texts[REPORTS_STATEMENT_COUNT] = {
#define X(name, text) [REPORTS_##name] = (text),
    REPORTS_STATEMENTS(X)
#undef X
};

static const struct database_plan plan = {.migrations = migrations,
                                          .version = SCHEMA_VERSION,
                                          .statements = texts,
                                          .statement_count = REPORTS_STATEMENT_COUNT};

int reports_open(const char *path, const uint8_t key[32], struct reports **ret_reports)
{
    AUTO(reports) struct reports *reports = mem_new(sizeof(*reports));
    if (reports == NULL)
        return -ENOMEM;
    int result = database_open(path, key, &plan, &reports->database);
    if (result == 0)
        result = reports_trim(reports, 0); /* counts what is there */
    if (result == 0)
        *ret_reports = TAKE(reports);
    return result;
}

void reports_free(struct reports *reports)
{
    if (reports == NULL)
        return;
    database_close(&reports->database);
    scope_free(&reports);
}

int reports_begin(struct reports *reports)
{
    return database_begin(&reports->database);
}

int reports_commit(struct reports *reports)
{
    return database_commit(&reports->database);
}

void reports_rollback(struct reports *reports)
{
    database_rollback(&reports->database);
}
