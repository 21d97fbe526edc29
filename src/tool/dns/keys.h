#pragma once

#include "tool/dns/facts.h"

/* Asks the running server for the domain's DKIM keys. Where it does not run, or does not have the domain, that is a
 * problem of the facts. 0, -ENOMEM. */
MUST_USE int facts_ask_keys(struct facts *facts, struct arena *arena);
