#pragma once

#include "trust/ask.h"
#include "trust/ip.h"

/* DNS blocklists of addresses (RFC 5782 §2). Pure over the lookup. */
enum dnsbl_outcome {
    DNSBL_NOT_LISTED,
    DNSBL_LISTED,
    DNSBL_UNKNOWN, /* no answer, or one that no list gives: it refuses those who ask too much, or is no list any more */
};

/* Asks one list. *ret_words is what it says of the listing (RFC 5782 §2.1, TXT), printable ASCII, the arena's; empty
 * where it says nothing. 0 or more: an enum dnsbl_outcome; -ENOMEM, -ECANCELED. */
MUST_USE int dnsbl_ask(const struct dns_lookup *lookup, const char *zone, const struct ip *ip, struct arena *arena,
                       span_t *ret_words);
