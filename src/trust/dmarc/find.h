#pragma once

#include "proto/dns/lookup.h"
#include "trust/dmarc/record.h"

/*
 * Where the policy for a domain stands, and how far its organization reaches. RFC 7489 asks at the domain, then at the
 * organizational domain that the public suffix list gives (§6.6.3). RFC 9989 asks at each domain up the tree, eight at
 * the most, and the records tell (§4.10).
 */
struct dmarc_asker {
    const struct dns_lookup *lookup;
    struct arena *arena;
    enum dmarc_edition edition;
};

struct dmarc_found {
    bool is_temporary; /* the DNS gave no answer: nothing else is known */
    bool has_record;
    bool is_nonexistent;  /* the record says something else of domains that do not exist, and the domain is one */
    span_t policy_domain; /* whose record it is */
    span_t organizational;
    struct dmarc_record record;
};

/* domain: normal (trust/domain.h). 0, -ENOMEM, -ECANCELED. */
MUST_USE int dmarc_find(const struct dmarc_asker *asker, span_t domain, struct dmarc_found *ret_found);

/* What stands at that very name, for reports: the organization is not looked for. The same, and -EINVAL. */
MUST_USE int dmarc_find_at(const struct dmarc_asker *asker, span_t domain, struct dmarc_found *ret_found);

enum dmarc_kinship { DMARC_STRANGERS, DMARC_KIN, DMARC_KINSHIP_UNKNOWN };

/* Whether another domain, normal too, has the organizational domain that found has for domain: relaxed alignment
 * (RFC 7489 §3.1, RFC 9989 §4.10.2). DMARC_KINSHIP_UNKNOWN: the DNS gave no answer. 0, -ENOMEM, -ECANCELED. */
MUST_USE int dmarc_compare(const struct dmarc_asker *asker, span_t domain, const struct dmarc_found *found,
                           span_t other, enum dmarc_kinship *ret_kinship);
