#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "mime/encoding.h"

/*
 * Messages for servers that take less than others: those without 8BITMIME (RFC 6152 §3), or without BINARYMIME
 * (RFC 3030 §3).
 */

/* What sending the bytes as they are asks of a server: _7BIT; _8BIT, where some are beyond ASCII; _BINARY, where there
 * are NULs, line ends other than CRLF, or lines of more than 998 bytes (RFC 2045 §2.7 to §2.9). */
enum mime_encoding mime_need(span_t bytes);

enum mime_sevenbit {
    MIME_SEVENBIT_DONE,
    MIME_SEVENBIT_SIGNED, /* what would have to change is signed as it stands (RFC 1847 §2.1) */
};

/*
 * Appends the message in seven bits: parts that need it become quoted-printable or base64, whichever is shorter, and
 * their headers say so; multiparts and messages inside stay what they are (RFC 2045 §6.4, RFC 2046 §5.2.1). Text that
 * did not say what it was is called UTF-8 where it is that, and unknown-8bit where it is not (RFC 1428 §3). Headers in
 * raw UTF-8 go as mime/downgrade.h has it; what then is left of eight bits, where none may be, becomes '?'. An enum
 * mime_sevenbit, -ENOMEM (MIME_ARENA_MAX is always enough), or the buffer's fault.
 */
MUST_USE int mime_sevenbit(span_t message, struct arena *arena, struct buf *out);
