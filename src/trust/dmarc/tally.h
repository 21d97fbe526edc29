#pragma once

#include "trust/dmarc/report.h"
#include "trust/judge.h"
#include "trust/tally.h"

/*
 * Messages that named a domain in From as they are counted (RFC 7489 §7.2): the context is the policy that the domain
 * published, what is counted is how the messages of one sender fared under it.
 */
#define DMARC_TALLY_SIGNATURES_MAX 4U /* that are told of one message: those for the domain itself first */

/* What came of it beside the verdict. */
enum dmarc_override {
    DMARC_OBEYED,
    DMARC_FORWARDED, /* a trusted sealer has vouched for it */
    DMARC_LOCAL,     /* we do not do what policies ask for */
};

struct dmarc_tally_case {
    const struct judge_request *request;
    const struct judgement *judgement;
    enum dmarc_policy disposition; /* what was done */
    enum dmarc_override override;
};

/* The policy of the judgement, which has a record. The buffer remembers faults. */
void dmarc_tally_context(const struct dmarc_verdict *verdict, struct buf *context);
void dmarc_tally_what(const struct dmarc_tally_case *one, struct buf *what);

/* The published policy and the rows of a report, from what was counted, all of one context: beginning with items, as
 * many as *ret_used are. What is beyond the limits of a report is left out. -ENOMEM. */
MUST_USE int dmarc_tally_read(const struct tally_item *items, size_t count, struct arena *arena,
                              struct dmarc_report *report, size_t *ret_used);
