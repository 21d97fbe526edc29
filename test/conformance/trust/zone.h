#pragma once

#include "proto/dns/lookup.h"

/* A table of records in memory, to be asked as the DNS is. */
struct zone;

MUST_USE int zone_new(struct zone **ret_zone);
void zone_free(struct zone *zone);
void zone_clear(struct zone *zone);

/* name in text; one record more where there are some of that type, or an outcome without any. */
MUST_USE int zone_add(struct zone *zone, const char *name, unsigned type, enum dns_outcome outcome, span_t rdata);

struct dns_lookup zone_lookup(struct zone *zone);

SCOPE_OF(zone)
