#pragma once

#include "role/keeper/database.h"
#include "role/keeper/reports.h"

/* What the files of reports.db share. */

/* Rows that are alike in all reports of a domain and kind, as one. The texts are those of ipc/received.h, in its order:
 * of both kinds the second tells what failed (DKIM; the result), and of DMARC the third does as well (SPF). */
#define RECEIVED_ROWS_WHERE(condition)                                                                                 \
    "SELECT total(count), text1, text2, text3, text4, text5, text6, text7, text8 FROM received_row"                    \
    " JOIN received ON received.id = received_row.received"                                                            \
    " WHERE domain = ?1 AND arrived >= ?2 AND kind = ?3 AND " condition                                                \
    " GROUP BY text1, text2, text3, text4, text5, text6, text7, text8 ORDER BY total(count) DESC LIMIT ?4"

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
    X(TALLY_TOTAL, "SELECT total(rows) FROM subject")                                                                  \
    X(RECEIVED_FIND, "SELECT id FROM received WHERE kind = ?1 AND reporter = ?2 AND organization = ?3"                 \
                     " AND report = ?4 AND domain = ?5")                                                               \
    X(RECEIVED_ADD, "INSERT INTO received(kind, reporter, organization, report, domain, contact, first, last,"         \
                    " arrived, rows) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)")                                   \
    X(RECEIVED_GROW, "UPDATE received SET rows = ?2 WHERE id = ?1")                                                    \
    X(RECEIVED_ROW, "INSERT INTO received_row(received, count, text1, text2, text3, text4, text5, text6, text7,"       \
                    " text8) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                                         \
    X(RECEIVED_TODAY, "SELECT count(*), total(rows) FROM received WHERE reporter = ?1 AND arrived > ?2")               \
    X(RECEIVED_WEIGHT, "SELECT count(*) + total(rows) FROM received")                                                  \
    X(RECEIVED_TRIM, "DELETE FROM received WHERE arrived < ?1")                                                        \
    X(RECEIVED_OLDEST, "DELETE FROM received WHERE id IN (SELECT id FROM received ORDER BY arrived, id LIMIT 10)")     \
    X(RECEIVED_DOMAINS, "SELECT DISTINCT domain FROM received WHERE domain > ?1 AND arrived >= ?2 ORDER BY domain")    \
    X(RECEIVED_TOTALS, "SELECT count(DISTINCT received.id), total(received_row.count),"                                \
                       " total(received_row.count * (text2 = 'pass' OR text3 = 'pass')),"                              \
                       " total(received_row.count * (text1 = 'quarantine')),"                                          \
                       " total(received_row.count * (text1 = 'reject')),"                                              \
                       " total(received_row.count * (text2 <> ''))"                                                    \
                       " FROM received LEFT JOIN received_row ON received_row.received = received.id"                  \
                       " WHERE domain = ?1 AND arrived >= ?2 AND kind = ?3")                                           \
    X(RECEIVED_PASSED, RECEIVED_ROWS_WHERE("(text2 = 'pass' OR text3 = 'pass')"))                                      \
    X(RECEIVED_FAILED, RECEIVED_ROWS_WHERE("NOT (text2 = 'pass' OR text3 = 'pass') AND text2 <> ''"))                  \
    X(RECEIVED_REPORTERS, "SELECT reporter, organization, contact, count(*), max(last) FROM received"                  \
                          " WHERE domain = ?1 AND arrived >= ?2 GROUP BY reporter, organization"                       \
                          " ORDER BY count(*) DESC, reporter, organization LIMIT ?3")

enum reports_statement {
#define X(name, text) REPORTS_##name,
    REPORTS_STATEMENTS(X)
#undef X
        REPORTS_STATEMENT_COUNT
};

/* reports-received.c: counts what there is. */
MUST_USE int reports_received_count(struct reports *reports);

struct reports {
    bool is_lazy; /* the transaction at hand */
    struct database database;
    uint64_t rows;     /* of what is counted */
    uint64_t received; /* rows of what others report, and reports */
};
