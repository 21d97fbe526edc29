#pragma once

#include "base/span.h"

/* What one household or one rented machine has: /24 of IPv4 (mapped addresses too), /64 of IPv6. client: an address as
 * text; anything else is a network of its own kind. */
#define NETWORK_SIZE 9U
void network_of(span_t client, uint8_t network[NETWORK_SIZE]);
