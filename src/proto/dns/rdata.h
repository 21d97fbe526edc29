#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/result.h"
#include "base/span.h"
#include "proto/dns/lookup.h"
#include "proto/dns/name.h"

/*
 * What stands in records (RDATA in wire format, as a struct dns_answer has it), read and written.
 *
 * All readers take the whole of a record's RDATA and answer 0, -EBADMSG where it is not what its type asks for,
 * trailing bytes included, or -ENOMEM. Names are text as name.h says ("" is the root), from the arena; spans point into
 * the RDATA unless said otherwise, and may hold any byte.
 */

struct dns_mx {
    uint16_t preference;
    const char *exchange; /* "" with preference 0, alone: takes no mail (RFC 7505 §3) */
};

struct dns_srv {
    uint16_t priority;
    uint16_t weight;
    uint16_t port;
    const char *target; /* "": the service is not there (RFC 2782) */
};

struct dns_tlsa {
    uint8_t usage;
    uint8_t selector;
    uint8_t matching;
    span_t data;
};

struct dns_caa {
    uint8_t flags; /* 128: critical */
    span_t tag;    /* letters and digits, at least one (RFC 8659 §4.1) */
    span_t value;
};

struct dns_soa {
    const char *primary;
    const char *mailbox;
    uint32_t serial;
    uint32_t refresh;
    uint32_t retry;
    uint32_t expire;
    uint32_t minimum;
};

MUST_USE int dns_read_a(span_t rdata, struct in_addr *ret_address);     /* RFC 1035 §3.4.1 */
MUST_USE int dns_read_aaaa(span_t rdata, struct in6_addr *ret_address); /* RFC 3596 §2.2 */

/* NS, CNAME, PTR. RFC 1035 §3.3 */
MUST_USE int dns_read_name(span_t rdata, struct arena *arena, const char **ret_name);

/* The strings joined with nothing between them (RFC 7208 §3.3, RFC 6376 §3.6.2.2), in the arena. RFC 1035 §3.3.14 */
MUST_USE int dns_read_txt(span_t rdata, struct arena *arena, span_t *ret_text);

MUST_USE int dns_read_mx(span_t rdata, struct arena *arena, struct dns_mx *ret_mx);    /* RFC 1035 §3.3.9 */
MUST_USE int dns_read_srv(span_t rdata, struct arena *arena, struct dns_srv *ret_srv); /* RFC 2782 */
MUST_USE int dns_read_tlsa(span_t rdata, struct dns_tlsa *ret_tlsa);                   /* RFC 6698 §2.1 */
MUST_USE int dns_read_caa(span_t rdata, struct dns_caa *ret_caa);                      /* RFC 8659 §4.1 */
MUST_USE int dns_read_soa(span_t rdata, struct arena *arena, struct dns_soa *ret_soa); /* RFC 1035 §3.3.13 */

/*
 * The other way, for records of our own. All append, and answer 0, -EINVAL where a name, a tag or a length is not
 * possible, or the buffer's fault. A text is cut into strings of 255 bytes.
 */
MUST_USE int dns_put_name(struct buf *out, const char *name);
MUST_USE int dns_put_txt(struct buf *out, span_t text);
MUST_USE int dns_put_mx(struct buf *out, const struct dns_mx *mx);
MUST_USE int dns_put_srv(struct buf *out, const struct dns_srv *srv);
MUST_USE int dns_put_tlsa(struct buf *out, const struct dns_tlsa *tlsa);
MUST_USE int dns_put_caa(struct buf *out, const struct dns_caa *caa);

/* "MX"; "TYPE65" for a type that has no row here (RFC 3597 §5). */
#define DNS_TYPE_TEXT_SIZE 10U
const char *dns_type_text(enum dns_type type, char room[DNS_TYPE_TEXT_SIZE]);

/*
 * Appends RDATA as it stands in a zone file: printable ASCII on one line, names with a last dot, strings quoted. What
 * cannot be read as its type, or is of a type without a row, is written as RFC 3597 §5 has it, "\# 2 abcd".
 */
MUST_USE int dns_print_rdata(struct buf *out, enum dns_type type, span_t rdata);
