#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"

/*
 * Mailbox names: modified UTF-7 on the wire (RFC 3501 §5.1.3), UTF-8 inside. The hierarchy separator is "/".
 */
#define IMAP_SEPARATOR '/'
#define IMAP_MAILBOX_MAX 1000U /* bytes of UTF-8 */

/* -EINVAL where the text is not modified UTF-7. What already is UTF-8 passes unchanged, as clients that take
 * UTF8=ACCEPT for granted send it. "INBOX" in any case becomes "INBOX" (RFC 3501 §5.1), also before a separator. */
MUST_USE int imap_mailbox_decode(span_t wire, struct arena *arena, span_t *ret_utf8);
/* The name as it is, but for INBOX; -EINVAL where it is not UTF-8 (RFC 9051 §5.1). */
MUST_USE int imap_mailbox_decode_utf8(span_t wire, struct arena *arena, span_t *ret_utf8);
void imap_mailbox_encode(span_t utf8, struct buf *out);

/* May a mailbox be made by this name: no empty level, no control byte, no wildcard, valid UTF-8, not too long. */
bool imap_mailbox_is_valid(span_t utf8);

/* LIST's wildcards: "*" any, "%" any but the separator (RFC 3501 §6.3.8). INBOX matches in any case. */
bool imap_mailbox_matches(span_t pattern, span_t utf8);
