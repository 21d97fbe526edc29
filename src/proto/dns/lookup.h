#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/result.h"
#include "base/span.h"

/*
 * How everything that needs the DNS asks for it. Whoever judges or delivers mail is given a struct dns_lookup and knows
 * nothing of resolvers: the adapter to libunbound stands behind it in the program, a table of records in a test.
 */

#define DNS_NAME_MAX 253    /* RFC 1035 §2.3.4, in text, without the last dot */
#define DNS_RECORDS_MAX 256 /* of one answer; more is treated as too large */

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_TLSA = 52,
    DNS_CAA = 257,
};

enum dns_outcome {
    DNS_FOUND,   /* one record or more */
    DNS_NO_DATA, /* the name exists, without records of this type (RFC 2308 §2.2) */
    DNS_NO_NAME, /* the name does not exist (RFC 2308 §2.1) */
    DNS_FAILED,  /* no answer in time, SERVFAIL, too many aliases, too large: ask again later */
    DNS_BOGUS,   /* DNSSEC says that the answer was forged (RFC 4035 §4.3): as a failure, never as "none" */
};

/* An answer; all it points to belongs to the arena it was asked with. */
struct dns_answer {
    enum dns_outcome outcome;
    bool is_secure;        /* validated by DNSSEC, aliases on the way and a denial included */
    uint32_t ttl;          /* seconds */
    const char *canonical; /* the name at the end of the aliases, without the last dot; "" where unknown */
    size_t count;
    const span_t *records; /* RDATA in wire format, names in it uncompressed; see rdata.h */
    const char *reason;    /* DNS_FAILED and DNS_BOGUS: in words, for a log or a report; else "" */
};

/*
 * Asks for the records of a type at a name (letters, digits and what labels may hold; U-labels are the caller's to turn
 * into A-labels; a last dot is allowed). May suspend the calling task. Returns 0 with *ret_answer set whatever the
 * outcome, or -EINVAL     not a name that DNS could hold -ENOMEM     the arena is full -ECANCELED  the task was
 * cancelled meanwhile
 */
struct dns_lookup {
    int (*ask)(void *context, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *ret_answer);
    void *context;
};
