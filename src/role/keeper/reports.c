#include "role/keeper/reports.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/keeper/reports-state.h"
#include "vault/vfs.h"

#define SCHEMA_VERSION 2

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
    "CREATE TABLE received(" /* what others report on our domains: a row for each report and domain in it */
    "  id INTEGER PRIMARY KEY,"
    "  kind INTEGER NOT NULL,"
    "  reporter TEXT NOT NULL," /* the domain that vouches for it */
    "  organization TEXT NOT NULL,"
    "  report TEXT NOT NULL," /* its id */
    "  domain TEXT NOT NULL,"
    "  contact TEXT NOT NULL,"
    "  first INTEGER NOT NULL," /* seconds since 1970 */
    "  last INTEGER NOT NULL,"
    "  arrived INTEGER NOT NULL,"
    "  rows INTEGER NOT NULL,"
    "  UNIQUE(kind, reporter, organization, report, domain));"
    "CREATE INDEX received_arrived ON received(arrived);"
    "CREATE INDEX received_reporter ON received(reporter, arrived);"
    "CREATE INDEX received_domain ON received(domain, arrived);"
    "CREATE TABLE received_row(" /* ipc/received.h says what the texts are */
    "  received INTEGER NOT NULL REFERENCES received(id) ON DELETE CASCADE,"
    "  count INTEGER NOT NULL,"
    "  text1 TEXT NOT NULL, text2 TEXT NOT NULL, text3 TEXT NOT NULL, text4 TEXT NOT NULL,"
    "  text5 TEXT NOT NULL, text6 TEXT NOT NULL, text7 TEXT NOT NULL, text8 TEXT NOT NULL);"
    "CREATE INDEX received_row_received ON received_row(received);",
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
        result = reports_received_count(reports);
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

/* Between transactions alone can this be changed. */
static int set_lazy(struct reports *reports, bool is_lazy)
{
    const char *sql = is_lazy ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL";
    int result = 0;
    if (reports->is_lazy != is_lazy)
        result = vfs_fault(sqlite3_exec(reports->database.sqlite, sql, NULL, NULL, NULL));
    if (result == 0)
        reports->is_lazy = is_lazy;
    return result;
}

int reports_begin_lazily(struct reports *reports)
{
    int result = set_lazy(reports, true);
    return result == 0 ? database_begin(&reports->database) : result;
}

int reports_commit(struct reports *reports)
{
    int result = database_commit(&reports->database);
    int restored = set_lazy(reports, false);
    return result != 0 ? result : restored;
}

void reports_rollback(struct reports *reports)
{
    database_rollback(&reports->database);
    if (set_lazy(reports, false) != 0)
        log_warn("keeper.reports.lazy"); /* until the next end of a transaction */
}
