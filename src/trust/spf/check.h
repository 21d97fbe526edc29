#pragma once

#include "proto/dns/lookup.h"
#include "trust/ip.h"
#include "trust/spf/record.h"

/*
 * check_host() (RFC 7208 §4). Limits: SPF_LOOKUPS_MAX terms that ask the DNS, SPF_VOIDS_MAX answers with nothing in
 * them (RFC 7208 §4.6.4), ten exchanges of an MX, ten names of an address.
 */
#define SPF_LOOKUPS_MAX 10U
#define SPF_VOIDS_MAX 2U

struct spf_request {
    struct ip client;
    span_t helo;     /* as the client said it */
    span_t sender;   /* reverse-path; empty for <>: then HELO is checked (RFC 7208 §2.4) */
    span_t receiver; /* our host name */
    uint64_t now;    /* seconds since 1970 */
};

struct spf_verdict {
    enum spf_result result;
    span_t domain;      /* the one checked: of the sender, or HELO */
    bool is_helo;       /* the latter */
    span_t explanation; /* with SPF_FAIL, the domain's own words (RFC 7208 §6.2), printable ASCII; or empty */
    const char *reason; /* with SPF_TEMPERROR and SPF_PERMERROR; else "" */
};

/* 0, -ENOMEM, -ECANCELED. What the verdict points to is the arena's or the request's. */
MUST_USE int spf_check(const struct dns_lookup *lookup, const struct spf_request *request, struct arena *arena,
                       struct spf_verdict *ret_verdict);

const char *spf_result_text(enum spf_result result); /* RFC 8601 §2.7.2 */
