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

/* What SORT needs of an ENVELOPE, read back from its text: raw values, the first address of each list; at == NULL where
 * there is none. Spans point into the text or the arena. -EBADMSG: it is no ENVELOPE of imap_envelope_append. */
struct imap_envelope_address {
    span_t name;
    span_t mailbox;
    span_t host;
};

struct imap_envelope {
    span_t date;
    span_t subject;
    struct imap_envelope_address from;
    struct imap_envelope_address to;
    struct imap_envelope_address cc;
};

MUST_USE int imap_envelope_read(span_t text, struct arena *arena, struct imap_envelope *ret_envelope);
