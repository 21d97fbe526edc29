#pragma once

#include "crypto/secret.h"

/*
 * A chosen password as it is hashed: the OpaqueString profile (RFC 8265 §4.2), so that one keyboard's ü is another's.
 * Spaces outside ASCII become U+0020, then NFC. Bytes that are not UTF-8, or that are too long, stay as they are.
 */
MUST_USE int passphrase_prepare(span_t password, struct secret **ret_prepared);
