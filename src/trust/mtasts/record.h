#pragma once

#include "proto/dns/lookup.h"

/* The record at _mta-sts.DOMAIN, which says that there is a policy, and when it changed (RFC 8461 §3.1). */
#define MTASTS_ID_MAX 32U

enum mtasts_record {
    MTASTS_RECORD_FOUND,
    MTASTS_RECORD_NONE,  /* none, several, or one that cannot be read: the domain has no policy to fetch */
    MTASTS_RECORD_LATER, /* the DNS gave no answer to rely on: what is known of the policy stays true */
};

/* The id, letters and digits, is the arena's. As versioned_find() otherwise. */
MUST_USE int mtasts_record_find(const struct dns_lookup *lookup, const char *domain, struct arena *arena,
                                span_t *ret_id);

/* Reads one such record. */
MUST_USE bool mtasts_record_parse(span_t text, span_t *ret_id);
