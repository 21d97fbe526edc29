#pragma once

#include "base/buf.h"
#include "base/result.h"
#include "dns/servers.h"

struct conf;
struct ub_ctx;
struct ub_event_base;

/* Appends the trust anchors, one record a line, from the file or, for "", where the system or we have them. Results are
 * those of resolver_new(). */
#define DNS_ANCHORS_MAX 65536U
MUST_USE int dns_anchors_read(const char *setting, struct buf *records);

/*
 * A libunbound context with all our options set and DNSSEC on, that forwards to the servers or, for NULL, asks the
 * authoritative ones. It reads no file. To be freed with ub_ctx_delete(). Results are those of resolver_new().
 */
MUST_USE int dns_context_new(struct ub_event_base *base, const struct conf *conf, const struct dns_servers *servers,
                             span_t anchors, struct ub_ctx **ret_context);
