#pragma once

#include "crypto/secret.h"
#include "trust/dkim/sign.h"

/* A domain's key for DKIM. The private part is DER, as the directory keeps it, and never leaves keeper. */
#define SIGNING_RSA_BITS 2048U
#define SIGNATURE_MAX 512U
#define SIGNING_PRIVATE_MAX 2048U /* bytes of DER */

/* DKIM_RSA_SHA256 or DKIM_ED25519_SHA256. Takes a few hundred milliseconds for RSA, so keeper has its children do it
 * (hasher.h). -EIO, -ENOMEM. */
MUST_USE int signing_key_make(enum dkim_algorithm algorithm, struct secret **ret_private);

/* Appends the record for its selector (RFC 6376 §3.6.1, RFC 8463 §4). -EBADMSG: no key; -ENOMEM. */
MUST_USE int signing_key_record(enum dkim_algorithm algorithm, span_t private_key, struct buf *text);

/* One made ready for use, which takes longer than to sign with it. -EBADMSG: no key. */
struct signing_key;
MUST_USE int signing_key_new(enum dkim_algorithm algorithm, span_t private_key, struct signing_key **ret_key);
void signing_key_free(struct signing_key *key);

/* Appends the signature of the hash. -EIO, -ENOMEM. */
MUST_USE int signing_key_sign(const struct signing_key *key, const uint8_t hash[DKIM_HASH_SIZE], struct buf *signature);

SCOPE_OF(signing_key)
