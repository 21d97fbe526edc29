#pragma once

#include "base/arena.h"

/* What a fetch needs of an http or https URL (RFC 3986 §3, RFC 9110 §4.2). */
#define URL_MAX 2048U

struct url {
    bool is_tls;
    const char *host; /* in lower case, without the brackets of an IPv6 address */
    uint16_t port;
    const char *target; /* path and query, "/" at least */
};

/* The texts are the arena's. A fragment falls away; user names, other schemes, and bytes that a URL may not hold are
 * -EINVAL. -ENOMEM. */
MUST_USE int url_parse(span_t text, struct arena *arena, struct url *ret_url);
