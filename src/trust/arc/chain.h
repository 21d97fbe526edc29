#pragma once

#include "trust/dkim/verify.h"

/*
 * The chain of those who have passed a message on and said what they saw (RFC 8617). In the order of dkim/verify.h:
 * arc_chain_new() before the body, arc_chain_finish() after it.
 */
enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL }; /* RFC 8617 §4.4 */

struct arc_set {
    span_t results; /* the three fields, whole */
    span_t message;
    span_t seal;
    span_t sealer; /* d= of the seal, normal; once it was verified */
};

struct arc_chain {
    enum arc_result result;
    const char *reason;        /* with ARC_FAIL; else "" */
    bool has_failed_before;    /* the newest seal says cv=fail: nobody seals it again (RFC 8617 §5.1) */
    unsigned count;            /* sets; complete and without a gap, unless it has failed */
    struct dkim_task *message; /* the newest ARC-Message-Signature */
    struct arc_set *sets;      /* count of them, oldest first */
};

/* 0, -ENOMEM. The chain is the arena's; what it points to, the header's. */
MUST_USE int arc_chain_new(const struct dkim_header *header, struct dkim_body *body, struct arena *arena,
                           struct arc_chain **ret_chain);

/* 0, -ENOMEM, -EIO, -ECANCELED. A key that cannot be had now fails the chain, as RFC 8617 §5.2 knows no other end. */
MUST_USE int arc_chain_finish(struct arc_chain *chain, const struct dkim_header *header, const struct dkim_body *body,
                              const struct dns_lookup *lookup, uint64_t now, struct arena *arena);

/*
 * Whether somebody we trust says that DMARC passed before the message was changed: the newest seals are looked at for
 * as long as their domains are among trusted (separated by commas or spaces), and one that says dmarc=pass suffices.
 */
bool arc_chain_vouches(const struct arc_chain *chain, span_t trusted);

const char *arc_result_text(enum arc_result result);

/* The results of an ARC-Authentication-Results field: its value behind "i=N;". */
span_t arc_results_of(span_t field);
