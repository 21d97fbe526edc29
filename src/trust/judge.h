#pragma once

#include "trust/arc/chain.h"
#include "trust/authres/authres.h"

/*
 * All that is found out about a message from outside. judge_new() with its header, judge_body() with each chunk of the
 * rest, judge_finish(), which asks the DNS. Everything is the arena's, and header must stay as it is meanwhile.
 */
struct judge;

struct judge_request {
    struct ip client;
    span_t helo;
    span_t sender;
    span_t host;     /* our name */
    uint64_t now;    /* seconds since 1970 */
    unsigned sample; /* 0 to 99, at random: for a policy that wants a part of the mail alone */
    bool checks_iprev;
    bool checks_spf;
    bool checks_dkim; /* and ARC */
    bool checks_dmarc;
    enum dmarc_edition dmarc_edition;
    span_t trusted_sealers; /* domains */
};

struct judgement {
    struct iprev_verdict iprev;
    struct spf_verdict spf;
    struct dkim_verifier *dkim;
    struct arc_chain *arc;
    struct dmarc_verdict dmarc;
    bool is_vouched_for; /* DMARC failed, and a trusted sealer says that it had passed */
};

/* 0, -ENOMEM. */
MUST_USE int judge_new(const struct judge_request *request, span_t header, struct arena *arena,
                       struct judge **ret_judge);
void judge_free(struct judge *judge);

void judge_body(struct judge *judge, span_t chunk);

/* 0, -ENOMEM, -EIO, -ECANCELED. */
MUST_USE int judge_finish(struct judge *judge, const struct dns_lookup *lookup, struct judgement *ret_judgement);

/* What it says behind the authserv-id, for an ARC set (arc/seal.h). */
MUST_USE int judge_append_results(const struct judge *judge, const struct judgement *judgement, struct buf *text);

/* Appends the Authentication-Results field; 0, -ENOBUFS, -ENOMEM. */
MUST_USE int judge_write(const struct judge *judge, const struct judgement *judgement, struct buf *lines);

SCOPE_OF(judge)
