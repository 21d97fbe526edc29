#pragma once

#include "base/arena.h"
#include "base/buf.h"

/*
 * Header fields, read in place. A line ends in CRLF or a bare LF; a line that starts with SP or HTAB continues the
 * field above it (RFC 5322 §2.2.3). What is no field (no colon) is passed over.
 */
struct mime_field {
    span_t whole; /* name to line end, as it stands in the message */
    span_t name;
    span_t value; /* raw: encoded, folded; without surrounding white space */
};

/* Takes the next field off *rest; false at the empty line that ends the header, or at the end. */
MUST_USE bool mime_field_next(span_t *rest, struct mime_field *ret_field);

/* The first field of that name (ASCII case is ignored). */
MUST_USE bool mime_field_find(span_t header, span_t name, struct mime_field *ret_field);

/* Its raw value, or SPAN_NONE (at == NULL) where there is none; an empty field has at != NULL. */
span_t mime_field_value(span_t header, span_t name);

/*
 * Whether fields of that name hold signatures and keys: random bytes in letters, in which nobody looks for a word. A
 * search of all of a message passes over them, name and value.
 */
bool mime_field_is_opaque(span_t name);

/* Length of the header that a message or part starts with, its empty line included. */
size_t mime_header_len(span_t message);

/* Appends value with a space for each line end and the white space after it (RFC 5322 §2.2.3 would keep all of that,
 * but senders fold with tabs and columns that nobody means to show); NUL bytes and lone CRs become spaces. */
int mime_field_unfold(span_t value, struct buf *text);
