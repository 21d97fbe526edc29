#pragma once

#include "base/arena.h"
#include "base/span.h"

#define MIME_PARAM_COUNT_MAX 64U

/*
 * Parameters of Content-Type and Content-Disposition (RFC 2045 §5.1). Name and value as the message gives them,
 * quoting undone; pieces of RFC 2231 §3 continuations are separate entries here (`name*0*`).
 */
struct mime_param {
    struct mime_param *next;
    span_t name;
    span_t value;
};

/* Reads the `; name=value …` part of a field; tolerant of missing quotes, comments, empty and doubled entries. Values
 * point into rest or the arena. At most MIME_PARAM_COUNT_MAX are kept. */
MUST_USE int mime_param_parse(span_t rest, struct arena *arena, struct mime_param **ret_params);

/* The raw value of exactly that name, or SPAN_NONE. */
span_t mime_param_raw(const struct mime_param *params, span_t name);

/*
 * The value in UTF-8 with continuations joined, charsets and percent escapes undone (RFC 2231), and, where a sender
 * wrongly put encoded words there, those too. SPAN_NONE where there is none. -ENOMEM.
 */
MUST_USE int mime_param_decode(const struct mime_param *params, span_t name, struct arena *arena, span_t *ret_utf8);
