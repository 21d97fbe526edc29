#pragma once

#include "trust/dkim/verify.h"
#include "trust/dmarc/find.h"
#include "trust/spf/check.h"

/* What a domain wants done with mail that names it in From and cannot show that it is its own (RFC 7489 §6.6). */
enum dmarc_result { DMARC_RESULT_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };

#define DMARC_DOMAINS_MAX 4U /* different ones in From */

struct dmarc_request {
    const struct spf_verdict *spf;
    const struct dkim_verifier *dkim;
    unsigned sample; /* 0 to 99, at random: for pct= and t= */
};

struct dmarc_verdict {
    enum dmarc_result result;
    const char *reason;            /* or "" */
    struct dmarc_found found;      /* with a record: what follows, but domain, is set */
    enum dmarc_policy policy;      /* of the domain in From */
    enum dmarc_policy disposition; /* what to do, after pct= (RFC 7489 §6.6.4); DMARC_NONE unless it failed */
    span_t domain;                 /* in From, normal; empty where there is none, or too many */
    bool has_too_many;             /* domains in From: none of them was looked at */
    bool is_dkim_aligned;          /* and passed */
    bool is_spf_aligned;
};

/* What the domains in From say. It is asked for before all else, so that no other question can take its time. */
struct dmarc_records {
    size_t count;
    const char *problem; /* where there are no domains, or too many: in words */
    bool has_too_many;
    struct dmarc_verdict found[DMARC_DOMAINS_MAX];
};

/* 0, -ENOMEM, -ECANCELED. */
MUST_USE int dmarc_ask(const struct dmarc_asker *asker, const struct dkim_header *header,
                       struct dmarc_records *ret_records);

/*
 * Of several domains in From all count, and the worst verdict is given: none of them may be forged (RFC 7489 §6.6.1).
 * 0, -ENOMEM, -ECANCELED.
 */
MUST_USE int dmarc_check(const struct dmarc_asker *asker, const struct dmarc_records *records,
                         const struct dmarc_request *request, struct dmarc_verdict *ret_verdict);

const char *dmarc_result_text(enum dmarc_result result); /* RFC 7489 §11.2 */
const char *dmarc_policy_text(enum dmarc_policy policy);
