#pragma once

#include "role/keeper/directory.h"

/*
 * How each kind of credential wraps an account's root secret, and gives it back. The _open ones answer
 * CREDENTIAL_FITS with the secret, CREDENTIAL_WRONG, or a fault (-EBADMSG: it fits, but what it wraps is damaged).
 */
enum credential_result { CREDENTIAL_FITS, CREDENTIAL_WRONG };

/* All fill in kind, verifier and wrapped; salt and params must stand in it already, and account. */
MUST_USE int credential_make_password(struct credential *credential, const struct secret *hash,
                                      const struct secret *root);
MUST_USE int credential_open_password(const struct credential *credential, const struct secret *hash,
                                      struct secret **ret_root);

/* App passwords and recovery codes take their salt from the account, so that one derivation fits all of them. */
MUST_USE int credential_make_app(struct credential *credential, span_t text, const struct secret *root);
MUST_USE int credential_make_recovery(struct credential *credential, const struct secret *code,
                                      const struct secret *root);

struct credential_token {
    struct secret *wrapping_key;
    uint8_t verifier[PASSWORD_VERIFIER_SIZE];
};
MUST_USE int credential_token_init(struct credential_token *token, span_t text, const uint8_t salt[PASSWORD_SALT_SIZE]);
void credential_token_deinit(struct credential_token *token);
MUST_USE int credential_open_token(const struct credential *credential, const struct credential_token *token,
                                   struct secret **ret_root);

/* What SCRAM gives (RFC 5802 §3): the client's key, which the server learns from a proof that fits. */
MUST_USE int credential_open_scram(const struct credential *credential, const uint8_t client_key[SCRAM_KEY_SIZE],
                                   struct secret **ret_root);
