#pragma once

#include "base/scope.h"
#include "base/span.h"

/*
 * AES-256-GCM (NIST SP 800-38D), one message at a time, with contexts kept from message to message. A nonce must never
 * be used twice to seal under one key: that is the caller's duty. in and out may be the same bytes, but not overlap
 * otherwise.
 */
struct aead;

#define AEAD_KEY_SIZE 32U
#define AEAD_NONCE_SIZE 12U
#define AEAD_TAG_SIZE 16U

enum aead_result { AEAD_OK, AEAD_FORGED };

MUST_USE int aead_new(const uint8_t key[AEAD_KEY_SIZE], struct aead **ret_aead);
void aead_free(struct aead *aead);

/* Writes in.len bytes to out, and the tag. -EINVAL beyond 2^30 bytes, -EIO where the library fails. */
MUST_USE int aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], span_t bound, span_t in, uint8_t *out,
                       uint8_t ret_tag[AEAD_TAG_SIZE]);

/* AEAD_FORGED where in, bound, nonce or tag is not what was sealed; out is then zeroed. Faults as above. */
MUST_USE int aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], span_t bound, span_t in,
                       const uint8_t tag[AEAD_TAG_SIZE], uint8_t *out);

SCOPE_OF(aead)
