#pragma once

#include <jansson.h>

#include "base/span.h"

/*
 * Reads JSON that comes from elsewhere. Jansson goes down into lists and objects by recursion, on whatever stack it
 * finds, so what is deeper than depth_max never gets to it. NULL for anything that is not one JSON value of that depth
 * and at most size_max bytes, UTF-8 throughout, and no name twice in an object. The caller's, to be released by
 * json_decref().
 */
MUST_USE json_t *json_read(span_t text, size_t size_max, size_t depth_max);
