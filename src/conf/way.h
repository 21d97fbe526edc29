#pragma once

#include "base/arena.h"
#include "base/span.h"

/*
 * Where mail goes because the operator says so ([courier] routes, fallback, relay):
 *
 *     HOST  HOST:PORT  [ADDRESS]:PORT         TLS where it is offered, whosever it is
 *     smtp://[USER:PASSWORD@]HOST[:PORT]      STARTTLS, and a certificate for that host
 *     smtps://[USER:PASSWORD@]HOST[:PORT]     the same, with TLS from the first byte (RFC 8314 §3.3)
 */
enum way_tls { WAY_TLS_OFFERED, WAY_TLS_STARTTLS, WAY_TLS_IMPLICIT };

struct way {
    span_t host; /* without brackets */
    uint16_t port;
    enum way_tls tls;
    span_t user; /* as written, like the password: what stands for other bytes in a URI still does */
    span_t password;
};

/* port: what is meant where none is said, and no URI says which. All of *ret_way points into the text. 0, or -EINVAL.
 */
MUST_USE int way_parse(span_t text, uint16_t port, struct way *ret_way);

/* One row of [courier] routes, DOMAIN=WAY, and what stands in it. 0, or -EINVAL. */
MUST_USE int way_parse_row(span_t row, uint16_t port, span_t *ret_domain, struct way *ret_way);

/* The domain that a setting means: that very one, or with a dot before it all below. */
bool way_covers(span_t setting, span_t domain);
