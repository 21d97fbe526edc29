#pragma once

#include "base/result.h"
#include "dns/servers.h"

struct conf;
struct ub_ctx;
struct ub_event_base;

/*
 * A libunbound context with all our options set, DNSSEC on and every file read, that forwards to the servers or, for
 * NULL, asks the authoritative ones. To be freed with ub_ctx_delete(). Results are those of resolver_new().
 */
MUST_USE int dns_context_new(struct ub_event_base *base, const struct conf *conf, const struct dns_servers *servers,
                             struct ub_ctx **ret_context);
