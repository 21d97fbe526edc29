#include <errno.h>
#include <string.h>

#include "role/keeper/reports-state.h"

/* The first number of the only row; REPORTS_NONE where there is none. */
static int ask(struct reports *reports, enum reports_statement which, struct database_values values,
               uint64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int result = database_query(&reports->database, which, values, &statement);
    if (result == 0)
        result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)REPORTS_NONE;
    *ret_number = database_read_number(statement, 0);
    sqlite3_reset(statement);
    return REPORTS_OK;
}

static int change(struct reports *reports, enum reports_statement which, struct database_values values)
{
    int result = database_change(&reports->database, which, values);
    return result < 0 ? result : 0;
}

/* --- counting --------------------------------------------------------------------------------------------------- */

/* The subject that the row belongs to, made where there is none: REPORTS_OK or REPORTS_FULL. */
static int find_subject(struct reports *reports, const struct tally_row *row, const char *domain, uint64_t *ret_id)
{
    const struct database_values subject =
        VALUES(AS_NUMBER(row->kind), AS_NUMBER(row->day), AS_TEXT(domain), AS_BYTES(row->context));
    int result = ask(reports, REPORTS_SUBJECT_FIND, subject, ret_id);
    if (result != REPORTS_NONE)
        return result;
    result = change(reports, REPORTS_SUBJECT_ADD, subject);
    return result < 0 ? result : ask(reports, REPORTS_SUBJECT_FIND, subject, ret_id);
}

/* Each context is a row, too: it has its first one with it. */
static int has_room(struct reports *reports, const struct tally_row *row, const char *domain)
{
    uint64_t rows = 0;
    int result =
        ask(reports, REPORTS_SUBJECT_ROWS, VALUES(AS_NUMBER(row->kind), AS_NUMBER(row->day), AS_TEXT(domain)), &rows);
    if (result < 0)
        return result;
    return rows < REPORTS_DOMAIN_ROWS_MAX && reports->rows < REPORTS_ROWS_MAX ? REPORTS_OK : REPORTS_FULL;
}

static int add_first(struct reports *reports, const struct tally_row *row, const char *domain)
{
    uint64_t id = 0;
    int result = has_room(reports, row, domain);
    if (result == REPORTS_OK)
        result = find_subject(reports, row, domain, &id);
    if (result == REPORTS_OK)
        result =
            change(reports, REPORTS_TALLY_FIRST, VALUES(AS_NUMBER(id), AS_BYTES(row->what), AS_NUMBER(row->count)));
    if (result == REPORTS_OK)
        result = change(reports, REPORTS_SUBJECT_GROW, VALUES(AS_NUMBER(id)));
    if (result == REPORTS_OK)
        reports->rows++;
    return result;
}

int reports_count(struct reports *reports, const struct tally_row *row)
{
    char domain[TALLY_DOMAIN_MAX + 1];
    uint64_t id = 0;
    if (row->domain.len > TALLY_DOMAIN_MAX)
        return -EINVAL;
    memcpy(domain, row->domain.at, row->domain.len);
    domain[row->domain.len] = '\0';
    int result = ask(reports, REPORTS_SUBJECT_FIND,
                     VALUES(AS_NUMBER(row->kind), AS_NUMBER(row->day), AS_TEXT(domain), AS_BYTES(row->context)), &id);
    if (result == REPORTS_OK) {
        result = database_change(&reports->database, REPORTS_TALLY_ADD,
                                 VALUES(AS_NUMBER(id), AS_BYTES(row->what), AS_NUMBER(row->count)));
        if (result != 0)
            return result < 0 ? result : (int)REPORTS_OK;
        result = REPORTS_NONE;
    }
    return result == REPORTS_NONE ? add_first(reports, row, domain) : result;
}

/* --- reporting -------------------------------------------------------------------------------------------------- */

int reports_next(struct reports *reports, const struct reports_days *days, struct reports_place *place)
{
    sqlite3_stmt *statement = NULL;
    int result = database_query(&reports->database, REPORTS_SUBJECT_NEXT,
                                VALUES(AS_NUMBER(days->kind), AS_NUMBER(days->first), AS_NUMBER(days->last),
                                       AS_NUMBER(place->day), AS_TEXT(place->domain)),
                                &statement);
    if (result == 0)
        result = database_step(statement);
    if (result != 1)
        return result < 0 ? result : (int)REPORTS_NONE;
    place->day = (uint32_t)database_read_number(statement, 0);
    bool is_sound = database_read_text(statement, 1, place->domain, sizeof(place->domain));
    sqlite3_reset(statement);
    return is_sound ? REPORTS_OK : -EBADMSG;
}

/* 0; -ENOBUFS where there is no room for it. */
static int write_row(sqlite3_stmt *statement, enum tally_kind kind, const struct reports_place *place, struct buf *rows)
{
    const struct tally_row row = {
        .kind = kind,
        .day = place->day,
        .count = database_read_number(statement, 2),
        .domain = span_of_text(place->domain),
        .context = span_of(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0)),
        .what = span_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1)),
    };
    return tally_row_write(&row, rows);
}

int reports_rows(struct reports *reports, enum tally_kind kind, const struct reports_place *place, uint64_t *offset,
                 struct buf *rows)
{
    sqlite3_stmt *statement = NULL;
    int result = database_query(
        &reports->database, REPORTS_TALLY_ROWS,
        VALUES(AS_NUMBER(kind), AS_NUMBER(place->day), AS_TEXT(place->domain), AS_NUMBER(*offset)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        result = write_row(statement, kind, place, rows);
        if (result == 0)
            (*offset)++;
    }
    sqlite3_reset(statement);
    if (result == -ENOBUFS && buf_len(rows) > 0)
        return REPORTS_OK;
    return result == 0 ? (int)REPORTS_NONE : result;
}

static int count_anew(struct reports *reports)
{
    return ask(reports, REPORTS_TALLY_TOTAL, NO_VALUES, &reports->rows);
}

int reports_forget(struct reports *reports, enum tally_kind kind, const struct reports_place *place)
{
    int result =
        change(reports, REPORTS_SUBJECT_FORGET, VALUES(AS_NUMBER(kind), AS_NUMBER(place->day), AS_TEXT(place->domain)));
    return result == 0 ? count_anew(reports) : result;
}

int reports_trim(struct reports *reports, uint32_t first_day)
{
    int result = change(reports, REPORTS_SUBJECT_TRIM, VALUES(AS_NUMBER(first_day)));
    return result == 0 ? count_anew(reports) : result;
}
