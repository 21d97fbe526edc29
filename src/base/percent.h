#pragma once

#include "base/arena.h"
#include "base/span.h"

/* Undoes the percent signs of a URI's part (RFC 3986 §2.1). 0, -EINVAL where two digits do not follow one, -ENOMEM. */
MUST_USE int percent_decode(span_t text, struct arena *arena, span_t *ret_bytes);
