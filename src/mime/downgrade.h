#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * Headers with raw UTF-8 (RFC 6532) for readers that cannot take them (RFC 6858): text becomes encoded words, an
 * address that is not ASCII becomes a name in front of one that cannot be written to, a parameter loses its other
 * characters, and any other field that is not ASCII is left out. The body is nobody's business here.
 */

/* Whether there is anything to do. Other 8-bit headers are no such mail, and stay as they are. */
bool mime_downgrade_needed(span_t header);

/* Appends the header as it is to be shown, its empty line included: ASCII throughout. -ENOMEM, or the buffer's fault.
 */
MUST_USE int mime_downgrade_header(span_t header, struct buf *ascii);
