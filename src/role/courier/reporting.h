#pragma once

#include "ipc/tally.h"
#include "proto/dns/lookup.h"
#include "trust/tally.h"

/*
 * Reports to other domains, once a day (doc/reports.md): keeper is asked whom there is something to tell, the DNS
 * whether they want to hear it and where; then the report is made and goes into the queue as mail, or is posted (RFC
 * 8460 §3). A report that could not be given to anybody now stays counted, and is tried again.
 */
struct courier;
struct reporting;
struct task;

MUST_USE int reporting_new(struct courier *courier, struct reporting **ret_reporting);
void reporting_free(struct reporting *reporting);
void reporting_begin(struct reporting *reporting); /* plans the first time */

struct reporting_days { /* UTC, since 1970 */
    uint32_t first;
    uint32_t last;
};
struct reporting_done {
    struct {
        uint64_t sent;
        uint64_t unwanted;
        uint64_t open; /* to be tried again */
    } of[TALLY_KIND_COUNT];
};

/* Sends all of these days now. -EBUSY: that is under way already. -ENOTCONN, -ECANCELED and other faults. */
MUST_USE int reporting_run(struct task *task, struct courier *courier, const struct reporting_days *days,
                           struct reporting_done *ret_done);

/* --- inside ------------------------------------------------------------------------------------------------------- */

/* One report, or, of DMARC, one for each policy that the domain has had that day. All is the arena's. */
struct report_job {
    struct task *task;
    struct courier *courier;
    const struct dns_lookup *lookup;
    struct arena *arena;
    enum tally_kind kind;
    uint32_t day;
    const char *domain;
    const char *from;
    const char *contact;
    const char *organization; /* our domain */
    const struct tally_item *items;
    size_t count;
};

enum report_outcome {
    REPORT_SENT,
    REPORT_UNWANTED, /* nobody is there who wants it, or could take it */
    REPORT_OPEN,     /* not to be told, or not to be done, now */
};

/* Each an enum report_outcome or a fault. */
MUST_USE int report_tls(const struct report_job *job);
MUST_USE int report_dmarc(const struct report_job *job);

/* The report's id: the same for the same counts, so that who gets one twice can tell. */
MUST_USE int report_id(const struct report_job *job, const struct tally_item *items, size_t count, span_t *ret_id);

/* The message that the report, packed, goes in to that address. */
MUST_USE int report_mail(const struct report_job *job, span_t id, span_t packed, span_t to, struct buf *text);
/* As gzip. */
#define REPORT_PACKED_MAX (8U << 20)
#define REPORT_MAIL_MAX (12U << 20)
