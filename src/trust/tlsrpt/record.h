#pragma once

#include "proto/dns/lookup.h"

/* The record at _smtp._tls.DOMAIN, which says where reports go (RFC 8460 §3). */
#define TLSRPT_ADDRESSES_MAX 8U /* more are passed over */

enum tlsrpt_record {
    TLSRPT_RECORD_FOUND,
    TLSRPT_RECORD_NONE,  /* none, several, or one without an address of a kind that we serve: no reports wanted */
    TLSRPT_RECORD_LATER, /* the DNS gave no answer to rely on */
};

struct tlsrpt_addresses {
    size_t count;
    struct tlsrpt_address {
        bool is_https; /* the whole URI is the address; else it is a mail address, percent signs undone */
        span_t address;
    } list[TLSRPT_ADDRESSES_MAX];
};

/* All is the arena's. As versioned_find() otherwise. */
MUST_USE int tlsrpt_record_find(const struct dns_lookup *lookup, const char *domain, struct arena *arena,
                                struct tlsrpt_addresses *ret_addresses);

/* Reads one such record: TLSRPT_RECORD_FOUND or _NONE, or -ENOMEM. */
MUST_USE int tlsrpt_record_parse(span_t text, struct arena *arena, struct tlsrpt_addresses *ret_addresses);
