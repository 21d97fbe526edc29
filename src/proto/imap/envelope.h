#pragma once

#include "mime/message.h"
#include "proto/imap/summary.h"

/*
 * Appends an IMAP string: NIL for at == NULL, quoted where it may be (RFC 3501 §9), else a literal. NUL bytes, which
 * no IMAP string can carry, become spaces.
 */
int imap_string_append(span_t value, struct buf *line);

/* The same for the raw value of a header field, which may be folded. */
int imap_field_append(span_t value, struct buf *line);

/* Appends the ENVELOPE of a message (RFC 3501 §7.4.2): `(date subject from … message-id)`. The same header always
 * gives the same bytes. 0, the buffer's fault, -ENOMEM. */
int imap_envelope_append(span_t header, struct buf *line);
