#pragma once

#include "crypto/secret.h"

/*
 * Passwords that people choose: Argon2id (RFC 9106) gives 64 bytes, which HKDF splits into a proof, whose hash is what
 * the server keeps, and a wrapping key for the root secret. A client may do this itself and show only the proof.
 */
#define PASSWORD_SALT_SIZE 16U
#define PASSWORD_HASH_SIZE 64U
#define PASSWORD_PROOF_SIZE 32U
#define PASSWORD_VERIFIER_SIZE 32U
#define PASSWORD_MAX 1024U

struct password_params {
    uint32_t memory_kib; /* at least 8 */
    uint32_t passes;     /* at least 1 */
    uint8_t salt[PASSWORD_SALT_SIZE];
};

/* Takes as long and as much memory as params say. -EINVAL for params out of range. */
MUST_USE int password_hash(const struct password_params *params, span_t password, struct secret **ret_hash);

/* From the hash: what proves the login and what unwraps. */
MUST_USE int password_split(const struct secret *hash, struct secret **ret_proof, struct secret **ret_wrapping_key);

/* What is stored to check the proof. */
MUST_USE int password_verifier(const struct secret *proof, uint8_t ret_verifier[PASSWORD_VERIFIER_SIZE]);
