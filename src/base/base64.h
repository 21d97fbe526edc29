#pragma once

#include "base/buf.h"

/*
 * Base64 (RFC 4648 §4), padded, without line breaks: SASL exchanges, keys, tokens. (MIME bodies: mime/encoding.h,
 * which forgives what mail programs get wrong.)
 */
MUST_USE int base64_encode(span_t bytes, struct buf *text);

/* Strict: -EINVAL on any byte outside the alphabet, wrong padding, or bits left over. */
MUST_USE int base64_decode(span_t text, struct buf *bytes);

/* The value of a digit, or -1; of the last two, which variants choose otherwise, the second is given. */
int base64_digit(uint8_t byte, uint8_t last);
