#pragma once

#include "proto/dns/lookup.h"

/* Records of which a name has just one: TXT that says with its first tag what it is, as MTA-STS and TLS-RPT have it. */
enum versioned_outcome {
    VERSIONED_FOUND,
    VERSIONED_NONE,  /* none that says so, or more than one: as if there were none (RFC 8461 §3.1, RFC 8460 §3) */
    VERSIONED_LATER, /* the DNS gave no answer to rely on */
};

/* Looks for the record `v=VERSION;…` among the TXT records at prefix.domain; the text, strings joined, is the arena's.
 * Or -EINVAL where this is no name, -ENOMEM, -ECANCELED. */
MUST_USE int versioned_find(const struct dns_lookup *lookup, const char *prefix, const char *domain,
                            const char *version, struct arena *arena, span_t *ret_text);
