#pragma once

#include "proto/dns/lookup.h"

/*
 * Asks for a name as it comes out of a record, a message or a greeting: any bytes, labels parted by dots. What no DNS
 * name can be has no records (DNS_NO_NAME), as RFC 7208 §4.3 wants it. 0, -ENOMEM, -ECANCELED.
 */
MUST_USE int trust_ask(const struct dns_lookup *lookup, span_t name, enum dns_type type, struct arena *arena,
                       struct dns_answer *ret_answer);

/* The same for a name that a record holds, as proto/dns/rdata.h reads it. */
MUST_USE int trust_ask_text(const struct dns_lookup *lookup, const char *name, enum dns_type type, struct arena *arena,
                            struct dns_answer *ret_answer);

/* Whether to ask again later may give another answer. */
bool trust_is_temporary(const struct dns_answer *answer);
