#pragma once

#include "trust/reverse.h"

/* Whether the client's address has a name that leads back to it (RFC 8601 §2.7.3). */
enum iprev_result { IPREV_PASS, IPREV_FAIL, IPREV_TEMPERROR, IPREV_PERMERROR };

struct iprev_verdict {
    enum iprev_result result;
    span_t name; /* with IPREV_PASS */
};

/* 0, -ENOMEM, -ECANCELED. */
MUST_USE int iprev_check(const struct dns_lookup *lookup, const struct ip *client, struct arena *arena,
                         struct iprev_verdict *ret_verdict);

const char *iprev_result_text(enum iprev_result result);
