#pragma once

#include "proto/dns/lookup.h"
#include "proto/dns/rdata.h"

/*
 * DANE for SMTP between servers (RFC 7672): which TLSA records bind a mail exchanger. The matching itself is done by
 * the TLS library in the handshake. Pure over the lookup.
 */
#define DANE_RECORDS_MAX 64U /* usable records of one host that are kept; more are passed over */

enum dane_outcome {
    DANE_NONE,         /* nothing that DNSSEC vouches for: another policy decides */
    DANE_AUTHENTICATE, /* TLS, and one of the records must match (RFC 7672 §2.2) */
    DANE_ENCRYPT,      /* there are records, none of them usable: TLS, without authentication (RFC 7672 §2.2) */
    DANE_LATER,        /* whether there are any cannot be told now: this host must wait (RFC 7672 §2.1.1) */
};

/* All it points to is the arena's. */
struct dane_set {
    const char *base;   /* where the records stand, without port and protocol: a name the certificate may be for */
    const char *reason; /* DANE_LATER: in words; else "" */
    size_t count;
    struct dns_tlsa records[DANE_RECORDS_MAX];
};

/*
 * Looks for the TLSA records of a host. The caller has found the host by an MX record that DNSSEC vouches for, or
 * needed no MX (RFC 7672 §2.2.1), and passes what it was told of the host's addresses: an insecure answer there ends
 * it, unless the host is a secure alias of an insecure name (RFC 7672 §2.2.2). Where the alias is secure to its end,
 * the records at its end come first. Returns an enum dane_outcome, or -EINVAL where the host is no name, -ENOMEM,
 * -ECANCELED.
 */
MUST_USE int dane_find(const struct dns_lookup *lookup, const char *host, const struct dns_answer *addresses,
                       uint16_t port, struct arena *arena, struct dane_set *ret_set);

/* Whether a server between servers may use the record: DANE-TA(2) or DANE-EE(3), and a selector and a digest that are
 * known, of the digest's length; without a digest, a certificate or a key that can be read (RFC 7672 §3.1, RFC 6698
 * §2.1). */
bool dane_is_usable(const struct dns_tlsa *record);
