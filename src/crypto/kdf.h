#pragma once

#include "crypto/secret.h"

/*
 * Derived keys: HKDF with SHA-256 (RFC 5869) and fixed labels. One label, one use; a label never changes its meaning.
 */
#define KEY_SIZE 32U

/* len at most 255 * 32. */
MUST_USE int kdf_hkdf(span_t key, span_t salt, span_t info, uint8_t *out, size_t len);

/* A key of KEY_SIZE bytes for the use that label names. */
MUST_USE int kdf_derive(span_t key, const char *label, struct secret **ret_key);

/* What an account's root secret gives: the X25519 pair its mail is sealed to, and the key of its vault. */
MUST_USE int kdf_sealing_pair(const struct secret *root, uint8_t ret_public[KEY_SIZE], struct secret **ret_private);
MUST_USE int kdf_vault_key(const struct secret *root, struct secret **ret_key);

/* The server's own keys, from its key file. */
MUST_USE int kdf_directory_key(const struct secret *server, struct secret **ret_key);
MUST_USE int kdf_reports_key(const struct secret *server, struct secret **ret_key);
MUST_USE int kdf_queue_pair(const struct secret *server, uint8_t ret_public[KEY_SIZE], struct secret **ret_private);
MUST_USE int kdf_srs_key(const struct secret *server, struct secret **ret_key);
MUST_USE int kdf_log_header_key(const struct secret *server, struct secret **ret_key);
