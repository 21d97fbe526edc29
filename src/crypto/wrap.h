#pragma once

#include "crypto/secret.h"

/*
 * A root secret wrapped under a credential's key: version (1), nonce (12), AES-256-GCM of 32 bytes, tag (16).
 * `bound` names what it belongs to (the account); a wrapped secret does not open with another one.
 */
#define WRAP_SIZE 61U
#define WRAP_SECRET_SIZE 32U

enum wrap_result { WRAP_OK, WRAP_FORGED, WRAP_UNKNOWN_VERSION };

MUST_USE int wrap_seal(const struct secret *wrapping_key, span_t bound, const struct secret *secret,
                       uint8_t ret_wrapped[WRAP_SIZE]);
/* An enum wrap_result or a fault. */
MUST_USE int wrap_open(const struct secret *wrapping_key, span_t bound, span_t wrapped, struct secret **ret_secret);
