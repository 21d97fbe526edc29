#pragma once

#include "base/arena.h"

/* Domain names as records and messages have them. */

/* In the one form in which they are compared: lower case, A-labels (RFC 5891 §5), no last dot. 0, -EINVAL where it can
 * be no host's or domain's name, -ENOMEM. */
MUST_USE int domain_normal(span_t name, struct arena *arena, span_t *ret_name);

/* Case and a last dot do not count. */
bool domain_equal(span_t one, span_t other);
bool domain_is_below(span_t name, span_t parent); /* or equal */

/*
 * The organizational domain (RFC 7489 §3.2), by the public suffix list libpsl was built with: a part of name, which
 * must be normal. A public suffix itself is its own.
 */
span_t domain_organizational(span_t name);

/* The domain of a mailbox, or all of it where there is no '@'. */
span_t domain_of_mailbox(span_t mailbox);
