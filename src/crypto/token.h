#pragma once

#include "base/buf.h"
#include "crypto/secret.h"

/*
 * Credentials that the server draws. Both are written in Crockford's base32, whose letters are not mistaken for digits,
 * in groups with hyphens between.
 */

/* A recovery code: 160 random bits and a 20-bit checksum, 6 groups of 6 capitals. */
#define RECOVERY_SIZE 20U
#define RECOVERY_TEXT_LEN 41U
enum recovery_result { RECOVERY_OK, RECOVERY_MISTYPED };
MUST_USE int recovery_code_new(struct secret **ret_code); /* RECOVERY_SIZE bytes */
MUST_USE int recovery_code_write(const struct secret *code, struct secret **ret_text);
/* Forgives case, spaces, missing hyphens, O for 0, I and L for 1. RECOVERY_MISTYPED where the checksum is wrong. */
MUST_USE int recovery_code_read(span_t text, struct secret **ret_code);

/* An app password: 140 random bits, 7 groups of 4 small letters and digits. Used as it is written, hyphens included. */
#define APP_PASSWORD_LEN 34U
MUST_USE int app_password_new(struct secret **ret_text);
bool app_password_shaped(span_t text);

/* Both are random, so a fast derivation does: what proves, and what unwraps. See password.h for the verifier. */
MUST_USE int token_split(span_t token, span_t salt, struct secret **ret_proof, struct secret **ret_wrapping_key);
