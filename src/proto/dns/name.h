#pragma once

#include <stdbool.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/result.h"
#include "base/span.h"

/*
 * Names of the DNS, on the wire (RFC 1035 §3.1) and as text (RFC 1035 §5.1). Text has no last dot, and the root is "".
 * A byte of a label that is no letter, digit, hyphen or underscore but is printable stands there as it is, save a dot
 * and what zone files give a meaning to (\ " ; ( ) @ $), which have a backslash in front; every other byte, NUL and
 * space included, is \DDD. So text is always printable ASCII, and one text is one name.
 */

#define DNS_LABEL_MAX 63U
#define DNS_NAME_WIRE_MAX 255U  /* RFC 1035 §2.3.4, the root's empty label included */
#define DNS_NAME_TEXT_MAX 1004U /* every byte escaped, without the NUL */

/*
 * Reads the name at the start of *rest and moves *rest behind it. A compressed name (RFC 1035 §4.1.4) is followed
 * within message, backwards only; with an empty message compression is refused. *ret_name is the arena's. -EBADMSG  not
 * a name    -ENOMEM
 */
MUST_USE int dns_name_read(span_t message, span_t *rest, struct arena *arena, const char **ret_name);

/* As dns_name_read(), but appends the name uncompressed, as it stands on the wire. */
MUST_USE int dns_name_expand(span_t message, span_t *rest, struct buf *out);

/* Appends a name given as text in wire format; a last dot is allowed. -EINVAL: no name that the DNS could hold. */
MUST_USE int dns_name_write(struct buf *out, span_t text);

/* Whether two names in text are one: letter case and a last dot do not count (RFC 4343 §3). */
bool dns_name_equal(span_t one, span_t other);
