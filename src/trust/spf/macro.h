#pragma once

#include "base/buf.h"
#include "trust/ip.h"

/* Macros (RFC 7208 §7). */
struct spf_macros {
    span_t local;  /* of the sender; "postmaster" where it has none (RFC 7208 §4.3) */
    span_t origin; /* the sender's domain */
    span_t domain; /* the one being checked */
    const struct ip *ip;
    span_t helo;
    span_t validated; /* RFC 7208 §7.3: p */
    span_t receiver;
    uint64_t now; /* seconds since 1970 */
};

enum spf_macro_use {
    SPF_IN_DOMAIN, /* domain-spec: ends in a macro or a top-level label */
    SPF_IN_STRING, /* macro-string, as the values of unknown modifiers are */
    SPF_IN_TEXT,   /* explain-string: spaces, and the letters c, r and t */
};

bool spf_macro_is_valid(span_t text, enum spf_macro_use use);
bool spf_macro_has(span_t text, uint8_t letter); /* in either case; text is valid */

/* Appends what valid text stands for; see buf.h for what it answers. */
int spf_macro_expand(span_t text, const struct spf_macros *macros, struct buf *out);
