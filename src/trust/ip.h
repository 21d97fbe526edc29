#pragma once

#include "base/buf.h"

/* Network addresses. An IPv4-mapped IPv6 address is read as the IPv4 address it is (RFC 7208 §5). */
struct ip {
    bool is_six;
    uint8_t bytes[16]; /* 4 of them used where it is not six */
};

MUST_USE bool ip_parse(span_t text, struct ip *ret_ip);
MUST_USE bool ip_parse_four(span_t text, uint8_t ret_bytes[4]); /* four numbers without leading zeros */
MUST_USE bool ip_parse_six(span_t text, uint8_t ret_bytes[16]);

/* ADDRESS or ADDRESS/BITS. */
MUST_USE bool ip_parse_network(span_t text, struct ip *ret_ip, unsigned *ret_bits);

/* The address of an A (4 bytes) or AAAA (16) record; false for any other length. */
bool ip_of_record(span_t rdata, struct ip *ret_ip);

/* Whether the first bits are the same; addresses of two kinds never match. */
bool ip_matches(const struct ip *one, const struct ip *other, unsigned bits);

/* Whether it is in one of these networks: ADDRESS or ADDRESS/BITS, comma-separated. */
bool ip_is_within(const struct ip *ip, span_t networks);

void ip_print(const struct ip *ip, struct buf *text);
void ip_print_reverse(const struct ip *ip, struct buf *text); /* as a name for PTR (RFC 1035 §3.5, RFC 3596 §2.5) */
