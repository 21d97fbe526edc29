#include <errno.h>

#include "role/keeper/reports-state.h"

#define DAY 86400U

/* --- keeping ---------------------------------------------------------------------------------------------------- */

/* The numbers of the only row. */
static int ask_numbers(struct reports *reports, enum reports_statement which, struct database_values values,
                       uint64_t *ret_numbers, size_t count)
{
    sqlite3_stmt *statement = NULL;
    int result = database_query(&reports->database, which, values, &statement);
    if (result == 0)
        result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : -ENOENT;
    for (size_t i = 0; i < count; i++)
        ret_numbers[i] = database_read_number(statement, (int)i);
    sqlite3_reset(statement);
    return 0;
}

int reports_received_count(struct reports *reports)
{
    return ask_numbers(reports, REPORTS_RECEIVED_WEIGHT, NO_VALUES, &reports->received, 1);
}

int reports_received_trim(struct reports *reports, uint64_t since)
{
    int result = database_change(&reports->database, REPORTS_RECEIVED_TRIM, VALUES(AS_NUMBER(since)));
    return result <= 0 ? result : reports_received_count(reports);
}

/* Those of one reporter are not so many that they push out those of others. */
static int has_enough(struct reports *reports, const struct reports_received *received)
{
    uint64_t numbers[2] = {0, 0};
    uint64_t since = received->arrived > DAY ? received->arrived - DAY : 0;
    int result = ask_numbers(reports, REPORTS_RECEIVED_TODAY, VALUES(AS_SPAN(received->reporter), AS_NUMBER(since)),
                             numbers, COUNT_OF(numbers));
    if (result != 0)
        return result;
    return numbers[0] >= REPORTS_RECEIVED_PER_DAY || numbers[1] >= REPORTS_RECEIVED_ROWS_PER_DAY;
}

static int make_room(struct reports *reports)
{
    int result = 1;
    while (result > 0 && reports->received > REPORTS_RECEIVED_ROWS_MAX) {
        result = database_change(&reports->database, REPORTS_RECEIVED_OLDEST, NO_VALUES);
        int counted = reports_received_count(reports);
        result = counted < 0 ? counted : result;
    }
    return result < 0 ? result : 0;
}

/* How many there were, or a fault. */
static int add_rows(struct reports *reports, uint64_t id, span_t rows)
{
    struct received_row row;
    int count = 0;
    int result = 0;
    while (result >= 0 && received_row_next(&rows, &row)) {
        const span_t *texts = row.texts;
        const uint64_t times = row.count > INT64_MAX / 1048576 ? INT64_MAX / 1048576 : row.count;
        result = database_change(&reports->database, REPORTS_RECEIVED_ROW,
                                 VALUES(AS_NUMBER(id), AS_NUMBER(times), AS_SPAN(texts[0]), AS_SPAN(texts[1]),
                                        AS_SPAN(texts[2]), AS_SPAN(texts[3]), AS_SPAN(texts[4]), AS_SPAN(texts[5]),
                                        AS_SPAN(texts[6]), AS_SPAN(texts[7])));
        count++;
    }
    return result < 0 ? result : count;
}

static int add(struct reports *reports, const struct reports_received *received)
{
    int result =
        database_change(&reports->database, REPORTS_RECEIVED_ADD,
                        VALUES(AS_NUMBER(received->kind), AS_SPAN(received->reporter), AS_SPAN(received->organization),
                               AS_SPAN(received->report), AS_SPAN(received->domain), AS_SPAN(received->contact),
                               AS_NUMBER(received->first), AS_NUMBER(received->last), AS_NUMBER(received->arrived)));
    const uint64_t id = (uint64_t)sqlite3_last_insert_rowid(reports->database.sqlite);
    if (result >= 0)
        result = add_rows(reports, id, received->rows);
    if (result < 0)
        return result;
    const uint64_t count = (uint64_t)result;
    result = database_change(&reports->database, REPORTS_RECEIVED_GROW, VALUES(AS_NUMBER(id), AS_NUMBER(count)));
    reports->received += count + 1;
    return result < 0 ? result : 0;
}

/* Reports are known by the id that their maker gives them (RFC 7489 §7.2.1.1, RFC 8460 §4.4). */
int reports_receive(struct reports *reports, const struct reports_received *received)
{
    uint64_t id = 0;
    int result =
        ask_numbers(reports, REPORTS_RECEIVED_FIND,
                    VALUES(AS_NUMBER(received->kind), AS_SPAN(received->reporter), AS_SPAN(received->organization),
                           AS_SPAN(received->report), AS_SPAN(received->domain)),
                    &id, 1);
    if (result != -ENOENT)
        return result < 0 ? result : (int)RECEIVED_KNOWN;
    result = has_enough(reports, received);
    if (result != 0)
        return result < 0 ? result : (int)RECEIVED_MUCH;
    result = add(reports, received);
    if (result == 0)
        result = make_room(reports);
    return result < 0 ? result : (int)RECEIVED_KEPT;
}

/* --- showing ---------------------------------------------------------------------------------------------------- */

static span_t text_of(sqlite3_stmt *statement, int column)
{
    const void *at = sqlite3_column_text(statement, column);
    return span_of(at, (size_t)sqlite3_column_bytes(statement, column));
}

int reports_received_domains(struct reports *reports, uint64_t since, const char *after, reports_domain_row *row,
                             void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = database_query(&reports->database, REPORTS_RECEIVED_DOMAINS, VALUES(AS_TEXT(after), AS_NUMBER(since)),
                                &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        const char *domain = (const char *)sqlite3_column_text(statement, 0);
        result = domain == NULL ? -ENOMEM : row(arg, domain);
    }
    sqlite3_reset(statement);
    return result;
}

int reports_received_totals(struct reports *reports, const struct reports_view *view, struct reports_totals *ret_totals)
{
    uint64_t numbers[6];
    int result = ask_numbers(reports, REPORTS_RECEIVED_TOTALS,
                             VALUES(AS_TEXT(view->domain), AS_NUMBER(view->since), AS_NUMBER(view->kind)), numbers,
                             COUNT_OF(numbers));
    if (result == 0)
        *ret_totals = (struct reports_totals){.reports = numbers[0],
                                              .count = numbers[1],
                                              .passed = numbers[2],
                                              .quarantined = numbers[3],
                                              .rejected = numbers[4],
                                              .failed = numbers[5]};
    return result;
}

int reports_received_rows(struct reports *reports, const struct reports_view *view, enum reports_which which,
                          reports_received_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    const enum reports_statement query =
        which == REPORTS_PASSED_ONES ? REPORTS_RECEIVED_PASSED : REPORTS_RECEIVED_FAILED;
    int result = database_query(
        &reports->database, query,
        VALUES(AS_TEXT(view->domain), AS_NUMBER(view->since), AS_NUMBER(view->kind), AS_NUMBER(view->limit)),
        &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        struct received_row found = {.count = database_read_number(statement, 0)};
        for (size_t i = 0; i < RECEIVED_TEXTS; i++)
            found.texts[i] = text_of(statement, (int)i + 1);
        result = row(arg, &found);
    }
    sqlite3_reset(statement);
    return result;
}

int reports_received_reporters(struct reports *reports, const struct reports_view *view, reports_reporter_row *row,
                               void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result =
        database_query(&reports->database, REPORTS_RECEIVED_REPORTERS,
                       VALUES(AS_TEXT(view->domain), AS_NUMBER(view->since), AS_NUMBER(view->limit)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        const struct reports_reporter reporter = {.domain = text_of(statement, 0),
                                                  .organization = text_of(statement, 1),
                                                  .contact = text_of(statement, 2),
                                                  .reports = database_read_number(statement, 3),
                                                  .last = database_read_number(statement, 4)};
        result = row(arg, &reporter);
    }
    sqlite3_reset(statement);
    return result;
}
