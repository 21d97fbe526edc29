#include "role/keeper/credential.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/kdf.h"
#include "crypto/token.h"

#define BOUND_SIZE 10U

/* A wrapped secret opens for its account and its use alone, so that rows cannot be exchanged. */
static span_t bound_to(const struct credential *credential, uint8_t use, uint8_t bytes[BOUND_SIZE])
{
    bytes_put_u64(bytes, credential->account);
    bytes[8] = (uint8_t)credential->kind;
    bytes[9] = use;
    return span_of(bytes, BOUND_SIZE);
}

enum use { USE_PLAIN, USE_SCRAM };

static int open_wrapped(const struct credential *credential, enum use use, const struct secret *key,
                        const uint8_t wrapped[WRAP_SIZE], struct secret **ret_root)
{
    uint8_t bytes[BOUND_SIZE];
    int result = wrap_open(key, bound_to(credential, (uint8_t)use, bytes), span_of(wrapped, WRAP_SIZE), ret_root);
    if (result < 0)
        return result;
    return result == WRAP_OK ? (int)CREDENTIAL_FITS : -EBADMSG;
}

int credential_make_password(struct credential *credential, const struct secret *hash, const struct secret *root)
{
    AUTO(secret) struct secret *proof = NULL;
    AUTO(secret) struct secret *key = NULL;
    uint8_t bytes[BOUND_SIZE];
    credential->kind = CREDENTIAL_PASSWORD;
    credential->scope = SCOPE_ALL;
    int result = password_split(hash, &proof, &key);
    if (result == 0)
        result = password_verifier(proof, credential->verifier);
    if (result == 0)
        result = wrap_seal(key, bound_to(credential, USE_PLAIN, bytes), root, credential->wrapped);
    return result;
}

int credential_open_password(const struct credential *credential, const struct secret *hash, struct secret **ret_root)
{
    AUTO(secret) struct secret *proof = NULL;
    AUTO(secret) struct secret *key = NULL;
    uint8_t verifier[PASSWORD_VERIFIER_SIZE];
    int result = password_split(hash, &proof, &key);
    if (result == 0)
        result = password_verifier(proof, verifier);
    if (result != 0)
        return result;
    if (!secret_equal(span_of(verifier, sizeof(verifier)), span_of(credential->verifier, sizeof(verifier))))
        return CREDENTIAL_WRONG;
    return open_wrapped(credential, USE_PLAIN, key, credential->wrapped, ret_root);
}

int credential_token_init(struct credential_token *token, span_t text, const uint8_t salt[PASSWORD_SALT_SIZE])
{
    AUTO(secret) struct secret *proof = NULL;
    AUTO(secret) struct secret *key = NULL;
    int result = token_split(text, span_of(salt, PASSWORD_SALT_SIZE), &proof, &key);
    if (result == 0)
        result = password_verifier(proof, token->verifier);
    if (result == 0)
        token->wrapping_key = TAKE(key);
    return result;
}

void credential_token_deinit(struct credential_token *token)
{
    secret_free(token->wrapping_key);
    token->wrapping_key = NULL;
}

int credential_open_token(const struct credential *credential, const struct credential_token *token,
                          struct secret **ret_root)
{
    if (!secret_equal(span_of(token->verifier, sizeof(token->verifier)),
                      span_of(credential->verifier, sizeof(credential->verifier))))
        return CREDENTIAL_WRONG;
    return open_wrapped(credential, USE_PLAIN, token->wrapping_key, credential->wrapped, ret_root);
}

static int make_token(struct credential *credential, span_t text, const struct secret *root)
{
    struct credential_token token = {0};
    uint8_t bytes[BOUND_SIZE];
    int result = credential_token_init(&token, text, credential->params.salt);
    if (result != 0)
        return result;
    memcpy(credential->verifier, token.verifier, sizeof(credential->verifier));
    result = wrap_seal(token.wrapping_key, bound_to(credential, USE_PLAIN, bytes), root, credential->wrapped);
    credential_token_deinit(&token);
    return result;
}

static int scram_wrapping_key(const uint8_t client_key[SCRAM_KEY_SIZE], struct secret **ret_key)
{
    return kdf_derive(span_of(client_key, SCRAM_KEY_SIZE), "waxwing scram wrapping 1", ret_key);
}

int credential_make_app(struct credential *credential, span_t text, const struct secret *root)
{
    AUTO(secret) struct secret *key = NULL;
    struct scram_keys keys;
    uint8_t bytes[BOUND_SIZE];
    credential->kind = CREDENTIAL_APP;
    int result = make_token(credential, text, root);
    if (result != 0)
        return result;
    result = scram_keys_derive(text, span_of(credential->params.salt, PASSWORD_SALT_SIZE), SCRAM_ITERATIONS, &keys);
    if (result != 0)
        return result;
    memcpy(credential->stored_key, keys.stored, sizeof(keys.stored));
    memcpy(credential->server_key, keys.server, sizeof(keys.server));
    result = scram_wrapping_key(keys.client, &key);
    if (result == 0)
        result = wrap_seal(key, bound_to(credential, USE_SCRAM, bytes), root, credential->scram_wrapped);
    secret_wipe(&keys, sizeof(keys));
    return result;
}

int credential_make_recovery(struct credential *credential, const struct secret *code, const struct secret *root)
{
    credential->kind = CREDENTIAL_RECOVERY;
    return make_token(credential, secret_span(code), root);
}

int credential_open_scram(const struct credential *credential, const uint8_t client_key[SCRAM_KEY_SIZE],
                          struct secret **ret_root)
{
    AUTO(secret) struct secret *key = NULL;
    int result = scram_wrapping_key(client_key, &key);
    return result != 0 ? result : open_wrapped(credential, USE_SCRAM, key, credential->scram_wrapped, ret_root);
}
