#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/*
 * What keeper's databases (directory.db, reports.db) have in common: opening below the encrypting layer (vault/vfs.h),
 * bringing the schema up to date, and statements that are prepared once. What is removed from them is overwritten.
 */
#define DATABASE_STATEMENTS_MAX 64U

struct database_plan {
    const char *const *migrations; /* one for each version: what leads to it from the one before */
    size_t version;
    const char *const *statements;
    size_t statement_count; /* DATABASE_STATEMENTS_MAX at most */
};

struct database {
    sqlite3 *sqlite; /* NULL: closed */
    const struct database_plan *plan;
    sqlite3_stmt *statements[DATABASE_STATEMENTS_MAX];
};

/* The plan is kept by reference. As vfs_open(); -ENOTSUP: the file is of a later version than the plan. */
MUST_USE int database_open(const char *path, const uint8_t key[32], const struct database_plan *plan,
                           struct database *ret_database);
void database_close(struct database *database); /* may be closed already */

/* What a statement is given, in the order of its ?1, ?2, … */
struct database_value {
    enum { VALUE_NUMBER, VALUE_TEXT, VALUE_SPAN, VALUE_BLOB } kind;
    uint64_t number;
    const void *bytes;
    size_t len;
};
#define AS_NUMBER(value)                                                                                               \
    {                                                                                                                  \
        .kind = VALUE_NUMBER, .number = (uint64_t)(value)                                                              \
    }
#define AS_TEXT(text)                                                                                                  \
    {                                                                                                                  \
        .kind = VALUE_TEXT, .bytes = (text)                                                                            \
    }
#define AS_SPAN(span) /* text, without a NUL at its end */                                                             \
    {                                                                                                                  \
        .kind = VALUE_SPAN, .bytes = (span).at, .len = (span).len                                                      \
    }
#define AS_BLOB(array)                                                                                                 \
    {                                                                                                                  \
        .kind = VALUE_BLOB, .bytes = (array), .len = sizeof(array)                                                     \
    }
#define AS_BYTES(span)                                                                                                 \
    {                                                                                                                  \
        .kind = VALUE_BLOB, .bytes = (span).at, .len = (span).len                                                      \
    }
struct database_values {
    const struct database_value *at;
    size_t count;
};
#define VALUES(...)                                                                                                    \
    ((struct database_values){(const struct database_value[]){__VA_ARGS__},                                            \
                              sizeof((const struct database_value[]){__VA_ARGS__}) / sizeof(struct database_value)})
#define NO_VALUES ((struct database_values){NULL, 0})

/* The statement, prepared once, with these values. It stays the database's. */
MUST_USE int database_query(struct database *database, size_t which, struct database_values values,
                            sqlite3_stmt **ret_statement);

/* 1: a row; 0: the end; a fault. At the end and on a fault the statement is reset. */
MUST_USE int database_step(sqlite3_stmt *statement);

/* For statements without rows: how many were changed, or a fault. */
MUST_USE int database_change(struct database *database, size_t which, struct database_values values);

/* Of the row at hand. False where the value has another length. */
bool database_read_blob(sqlite3_stmt *statement, int column, void *into, size_t len);
uint64_t database_read_number(sqlite3_stmt *statement, int column);
bool database_read_text(sqlite3_stmt *statement, int column, char *into, size_t room);

/* One transaction at a time; one that was rolled back by a fault may be rolled back again. */
MUST_USE int database_begin(struct database *database);
MUST_USE int database_commit(struct database *database); /* rolls back where it fails */
void database_rollback(struct database *database);
