#pragma once

#include "base/buf.h"

/*
 * Base64 (RFC 4648 §4), padded, without line breaks: SASL exchanges, keys, tokens. (MIME bodies: mime/encoding.h,
 * which forgives what mail programs get wrong.)
 */
MUST_USE int base64_encode(span_t bytes, struct buf *text);

/* Strict: -EINVAL on any byte outside the alphabet, wrong padding, or bits left over. */
MUST_USE int base64_decode(span_t text, struct buf *bytes);
