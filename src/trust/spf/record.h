#pragma once

#include "base/arena.h"

/* An SPF record, taken apart (RFC 7208 §4.6.1, §5, §6). Spans point into the record's text. */

enum spf_result { /* RFC 7208 §2.6 */
                  SPF_NONE,
                  SPF_NEUTRAL,
                  SPF_PASS,
                  SPF_FAIL,
                  SPF_SOFTFAIL,
                  SPF_TEMPERROR,
                  SPF_PERMERROR,
};

enum spf_mechanism { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS };

struct spf_term {
    enum spf_mechanism mechanism;
    enum spf_result qualifier; /* what a match means */
    span_t domain;             /* domain-spec, unexpanded; at == NULL: none */
    uint8_t address[16];       /* ip4 (4 bytes), ip6 */
    uint8_t bits_four;         /* prefix lengths */
    uint8_t bits_six;
};

struct spf_record {
    const struct spf_term *terms;
    size_t count;
    span_t redirect; /* domain-spec; at == NULL: none */
    span_t exp;
};

enum spf_parse { SPF_PARSE_OK, SPF_PARSE_WRONG };

/* Whether a TXT record is meant to be one (RFC 7208 §4.5). */
bool spf_is_record(span_t text);

/* Checks all of the record before anything of it counts (RFC 7208 §4.6). An enum spf_parse, or -ENOMEM. */
MUST_USE int spf_record_parse(span_t text, struct arena *arena, struct spf_record *ret_record);
