#pragma once

#include "base/scope.h"
#include "ipc/received.h"
#include "ipc/tally.h"

/*
 * reports.db: what reports between mail servers are about. Nothing in it is needed to handle mail: it may be lost, and
 * is trimmed where it grows too large. What was counted stands in it until the report of it has been sent.
 */
#define REPORTS_KEPT_DAYS 14U
#define REPORTS_ROWS_MAX 200000U      /* of all that is counted; what comes beyond is not counted */
#define REPORTS_DOMAIN_ROWS_MAX 5000U /* of one domain, day and kind */

struct reports;

/* Faults as vfs_open(). */
MUST_USE int reports_open(const char *path, const uint8_t key[32], struct reports **ret_reports);
void reports_free(struct reports *reports);
SCOPE_OF(reports)

MUST_USE int reports_begin(struct reports *reports);
/* The same for what a power cut may undo: its commit waits for no disk. */
MUST_USE int reports_begin_lazily(struct reports *reports);
MUST_USE int reports_commit(struct reports *reports); /* rolls back where it fails */
void reports_rollback(struct reports *reports);       /* nothing where none has begun */

enum reports_outcome {
    REPORTS_OK,
    REPORTS_NONE, /* there is none (further) */
    REPORTS_FULL, /* not counted, for the limits above */
};

/* Adds the row up with those that are alike: REPORTS_OK or REPORTS_FULL. */
MUST_USE int reports_count(struct reports *reports, const struct tally_row *row);

/* Whom there is something to report on, by day and name: the next one behind *place, from the first day to the last.
 * *place starts with day 0 and an empty domain. REPORTS_OK or REPORTS_NONE. */
struct reports_place {
    uint32_t day;
    char domain[TALLY_DOMAIN_MAX + 1];
};
struct reports_days {
    enum tally_kind kind;
    uint32_t first;
    uint32_t last;
};
MUST_USE int reports_next(struct reports *reports, const struct reports_days *days, struct reports_place *place);

/* Appends rows of that kind, day and domain, those of one context together, from the offset on: as many as there is
 * room for. REPORTS_OK, where there are more and *offset is where; REPORTS_NONE, where these were the last. */
MUST_USE int reports_rows(struct reports *reports, enum tally_kind kind, const struct reports_place *place,
                          uint64_t *offset, struct buf *rows);

/* They are reported, or nobody wants to know. */
MUST_USE int reports_forget(struct reports *reports, enum tally_kind kind, const struct reports_place *place);

/* What was counted before that day goes. */
MUST_USE int reports_trim(struct reports *reports, uint32_t first_day);

/* --- what others report on our domains (reports-received.c) --- */

#define REPORTS_RECEIVED_PER_DAY 500U        /* reports of one reporter */
#define REPORTS_RECEIVED_ROWS_PER_DAY 20000U /* of one reporter */
#define REPORTS_RECEIVED_ROWS_MAX 100000U    /* of all; where there would be more, the oldest reports go */

struct reports_received {
    enum received_kind kind;
    span_t reporter;
    span_t organization;
    span_t contact;
    span_t report;
    span_t domain;
    uint64_t first;
    uint64_t last;
    uint64_t arrived;
    span_t rows; /* of ipc/received.h */
};

/* Keeps it: RECEIVED_KEPT, RECEIVED_KNOWN, RECEIVED_MUCH. In a transaction. */
MUST_USE int reports_receive(struct reports *reports, const struct reports_received *received);

/* What arrived before that second goes. */
MUST_USE int reports_received_trim(struct reports *reports, uint64_t since);

/* The overview: of what arrived since that second. A row may end the walk with any result but 0, which is then the
 * walk's; what it is shown lives until it returns. */
struct reports_view {
    const char *domain;
    enum received_kind kind;
    uint64_t since;
    uint64_t limit; /* of rows */
};

typedef int reports_domain_row(void *arg, const char *domain);
MUST_USE int reports_received_domains(struct reports *reports, uint64_t since, const char *after,
                                      reports_domain_row *row, void *arg);

struct reports_totals {
    uint64_t reports;
    uint64_t count;       /* messages, sessions */
    uint64_t passed;      /* DMARC: messages that pass by DKIM or by SPF */
    uint64_t quarantined; /* DMARC */
    uint64_t rejected;    /* DMARC */
    uint64_t failed;      /* TLS: sessions that did */
};
MUST_USE int reports_received_totals(struct reports *reports, const struct reports_view *view,
                                     struct reports_totals *ret_totals);

/* Rows that are alike as one, the largest first: those that passed, or those that failed. */
enum reports_which { REPORTS_PASSED_ONES, REPORTS_FAILED_ONES };
typedef int reports_received_row(void *arg, const struct received_row *row);
MUST_USE int reports_received_rows(struct reports *reports, const struct reports_view *view, enum reports_which which,
                                   reports_received_row *row, void *arg);

struct reports_reporter {
    span_t domain;
    span_t organization;
    span_t contact;
    uint64_t reports;
    uint64_t last; /* the end of the time that its newest one tells of */
};
typedef int reports_reporter_row(void *arg, const struct reports_reporter *reporter);
MUST_USE int reports_received_reporters(struct reports *reports, const struct reports_view *view,
                                        reports_reporter_row *row, void *arg);
