#pragma once

#include "base/arena.h"
#include "base/span.h"

/* The one mail address of a mailto URI (RFC 6068 §2), given from behind "mailto:" on: percent signs undone, header
 * fields behind "?" left out. Empty where it is none, or holds blanks or controls. 0, -ENOMEM. */
MUST_USE int mailto_address(span_t uri, struct arena *arena, span_t *ret_address);
