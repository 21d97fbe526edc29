#pragma once

#include "proto/dns/lookup.h"

/*
 * Reads a response, in wire format, to one question for records of a type: follows the aliases from the name asked for,
 * in the order in which they stand (RFC 1034 §3.6.2), and sets outcome, ttl, canonical, count and records. The outcome
 * is DNS_FOUND, DNS_NO_DATA, DNS_NO_NAME, or, with a reason, DNS_FAILED: another response code, or more records than
 * DNS_RECORDS_MAX. is_secure stays false. The TTL is the least one on the way; of a denial, what its SOA says
 * (RFC 2308 §5), 0 without one. Names in RDATA are uncompressed. 0, -EBADMSG where it is no such response, -ENOMEM.
 */
MUST_USE int dns_message_read(span_t message, enum dns_type type, struct arena *arena, struct dns_answer *ret_answer);
