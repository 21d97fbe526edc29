#pragma once

#include "proto/dns/lookup.h"

/*
 * Where reports on a domain go (RFC 7489 §6.2, §6.3: rua=), and whether those who get them there have agreed to it
 * (RFC 7489 §7.1), so that nobody can have our reports fall on others. Only mailto is there (RFC 7489 §6.2).
 */
#define DMARC_ADDRESSES_MAX 4U   /* the first that are good */
#define DMARC_URIS_LOOKED_AT 16U /* each of another domain costs a question */
#define DMARC_SIZE_NONE UINT64_MAX

struct dmarc_address {
    span_t address;
    uint64_t size_max; /* bytes of the report as it is sent (RFC 7489 §6.2: "!10m"), or DMARC_SIZE_NONE */
};

struct dmarc_addresses {
    size_t count;
    struct dmarc_address list[DMARC_ADDRESSES_MAX];
    bool is_open; /* of another one the DNS could not tell now */
};

/* Reads one URI: false where it is none that we serve. *ret_size_max is DMARC_SIZE_NONE where none is given. -ENOMEM
 * leaves the address empty, and it is none. */
MUST_USE bool dmarc_uri_parse(span_t uri, struct arena *arena, struct dmarc_address *ret_address);

/* policy_domain, normal, is where the record with this rua stands. What is found is the arena's. 0, -ENOMEM,
 * -ECANCELED. */
MUST_USE int dmarc_addresses_find(const struct dns_lookup *lookup, span_t policy_domain, span_t rua,
                                  struct arena *arena, struct dmarc_addresses *ret_addresses);
