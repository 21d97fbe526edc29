#pragma once

#include "base/buf.h"
#include "base/result.h"
#include "base/span.h"

/*
 * The policy of SMTP MTA Strict Transport Security (RFC 8461 §3.2): which hosts may be a domain's mail exchangers, all
 * of them with verified TLS. It is fetched over HTTPS by somebody else. Pure.
 */
#define MTASTS_POLICY_MAX 65536U /* bytes of a policy; what is longer is no policy */
#define MTASTS_PATTERNS_MAX 64U  /* mx lines that are kept; a policy with more is no policy */
#define MTASTS_AGE_MAX 31557600U /* seconds, RFC 8461 §3.2 */
#define MTASTS_PATTERN_MAX 255U  /* bytes: a name of 253, and "*." */

enum mtasts_mode { MTASTS_NONE, MTASTS_TESTING, MTASTS_ENFORCE };

/* The patterns point into the text it was read from. */
struct mtasts_policy {
    enum mtasts_mode mode;
    uint32_t max_age; /* seconds */
    size_t pattern_count;
    span_t patterns[MTASTS_PATTERNS_MAX]; /* "mx.example.com" or "*.example.com" */
};

enum mtasts_result {
    MTASTS_OK,
    MTASTS_MALFORMED, /* not a policy, or one of another version: as if there were none (RFC 8461 §3.3) */
};

/*
 * Reads a policy. Lines end in CRLF or LF; keys that are not known are passed over, and of a key that may stand once
 * the first counts (RFC 8461 §3.2). It wants version, mode, max_age (held to MTASTS_AGE_MAX) and, unless the mode is
 * none, an mx.
 */
MUST_USE enum mtasts_result mtasts_policy_parse(span_t text, struct mtasts_policy *ret_policy);

/* Whether the policy allows this host as a mail exchanger (RFC 8461 §4.1). A wildcard stands for just one label. */
bool mtasts_policy_allows(const struct mtasts_policy *policy, span_t host);

/* Appends a policy of one host. A fault of the buffer. */
#define MTASTS_OWN_AGE 604800U /* seconds: a week, as RFC 8461 §3.2 has in its example */
int mtasts_policy_write(const char *mode, const char *host, struct buf *text);

/* The mode as a policy writes it. */
const char *mtasts_mode_name(enum mtasts_mode mode);
