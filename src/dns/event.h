#pragma once

#include <stdbool.h>

#include "base/scope.h"
#include "rt/loop.h"

struct ub_event_base;

/* What libunbound takes for an event loop (unbound-event.h), over ours. Everything made with it must be freed before.
 */
struct dns_events;
MUST_USE int dns_events_new(struct loop *loop, struct dns_events **ret_events);
void dns_events_free(struct dns_events *events);
struct ub_event_base *dns_events_base(struct dns_events *events);

/* Whether it ever lacked memory, which libunbound does not tell from other failures. */
bool dns_events_lacked_memory(const struct dns_events *events);
SCOPE_OF(dns_events)
