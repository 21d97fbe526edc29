#pragma once

#include "trust/ask.h"
#include "trust/ip.h"

/*
 * The names an address has in the DNS and that lead back to it (RFC 7208 §5.5, RFC 8601 §2.7.3). No more than
 * REVERSE_NAMES_MAX are asked for (RFC 7208 §4.6.4); one whose addresses cannot be had is passed over.
 */
#define REVERSE_NAMES_MAX 10U

struct reverse {
    enum dns_outcome outcome; /* of asking for the names */
    size_t tried;
    size_t failed; /* of those tried: could not be asked */
    size_t count;  /* of those tried: lead back */
    span_t names[REVERSE_NAMES_MAX];
};

/* 0, -ENOMEM, -ECANCELED. The names are the arena's. */
MUST_USE int reverse_find(const struct dns_lookup *lookup, const struct ip *ip, struct arena *arena,
                          struct reverse *ret_reverse);
