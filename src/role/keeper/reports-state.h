#pragma once

#include "role/keeper/database.h"
#include "role/keeper/reports.h"

/* What the files of reports.db share. */
#define REPORTS_STATEMENTS(X)                                                                                          \
    X(SUBJECT_FIND, "SELECT id FROM subject WHERE kind = ?1 AND day = ?2 AND domain = ?3 AND context = ?4")            \
    X(SUBJECT_ROWS, "SELECT total(rows) FROM subject WHERE kind = ?1 AND day = ?2 AND domain = ?3")                    \
    X(SUBJECT_ADD, "INSERT INTO subject(kind, day, domain, context, rows) VALUES(?1, ?2, ?3, ?4, 0)")                  \
    X(SUBJECT_GROW, "UPDATE subject SET rows = rows + 1 WHERE id = ?1")                                                \
    X(SUBJECT_NEXT, "SELECT day, domain FROM subject WHERE kind = ?1 AND day BETWEEN ?2 AND ?3"                        \
                    " AND (day, domain) > (?4, ?5) ORDER BY day, domain LIMIT 1")                                      \
    X(SUBJECT_FORGET, "DELETE FROM subject WHERE kind = ?1 AND day = ?2 AND domain = ?3")                              \
    X(SUBJECT_TRIM, "DELETE FROM subject WHERE day < ?1")                                                              \
    X(TALLY_ADD, "UPDATE tally SET count = count + ?3 WHERE subject = ?1 AND what = ?2")                               \
    X(TALLY_FIRST, "INSERT INTO tally(subject, what, count) VALUES(?1, ?2, ?3)")                                       \
    X(TALLY_ROWS, "SELECT subject.context, tally.what, tally.count FROM subject"                                       \
                  " JOIN tally ON tally.subject = subject.id"                                                          \
                  " WHERE subject.kind = ?1 AND subject.day = ?2 AND subject.domain = ?3"                              \
                  " ORDER BY subject.id, tally.what LIMIT -1 OFFSET ?4")                                               \
    X(TALLY_TOTAL, "SELECT total(rows) FROM subject")

enum reports_statement {
#define X(name, text) REPORTS_##name,
    REPORTS_STATEMENTS(X)
#undef X
        REPORTS_STATEMENT_COUNT
};

struct reports {
    struct database database;
    uint64_t rows; /* of what is counted */
};
