#pragma once

#include "trust/dkim/signature.h"

/* A message's header as signatures see it. Spans point into it. */
#define DKIM_FIELDS_MAX 1000U
#define DKIM_HEADER_MAX 1048576U

struct dkim_header {
    span_t text; /* all of it, whatever the limits */
    const struct mime_field *fields;
    size_t count;
    bool is_too_large; /* more than the limits; fields are then those up to them, and no signature is checked */
};

/* 0 or -ENOMEM. */
MUST_USE int dkim_header_index(span_t header, struct arena *arena, struct dkim_header *ret_header);

/*
 * The hash that is signed (RFC 6376 §3.7): the fields of h=, each name's instances from the last one up (RFC 6376
 * §5.4.2), then the signature's own field with an empty b=. 0, -ENOMEM, -EIO.
 */
MUST_USE int dkim_header_hash(const struct dkim_header *header, const struct dkim_signature *signature,
                              uint8_t ret_hash[DKIM_HASH_SIZE]);

/* Appends the signature's own field, with an empty b= and without a line end. */
int dkim_header_append_own(const struct dkim_signature *signature, struct buf *out);

/* 0, -EIO. */
MUST_USE int dkim_hash(span_t bytes, uint8_t ret_hash[DKIM_HASH_SIZE]);
