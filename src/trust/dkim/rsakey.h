#pragma once

#include <openssl/types.h>

#include "base/span.h"

/*
 * The key of a SubjectPublicKeyInfo in DER (RFC 3279 §2.3.1), as nearly all are written: rsaEncryption with NULL for
 * its parameters, every length as short as can be, nothing behind it. NULL for all others, which may be good in other
 * ways, or when memory runs out. It is the caller's to free.
 */
EVP_PKEY *rsa_key_read(span_t der);
