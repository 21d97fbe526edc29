#pragma once

#include "base/span.h"

/* SipHash-2-4: for tables a stranger can fill, and for log fields. Not for storing or proving anything. */
uint64_t hash_keyed(const uint8_t key[16], span_t bytes);
