#include "crypto/password.h"

#include <errno.h>
#include <sodium.h>

#include "crypto/kdf.h"

int password_hash(const struct password_params *params, span_t password, struct secret **ret_hash)
{
    if (params->memory_kib < 8 || params->passes < 1 || password.len > PASSWORD_MAX)
        return -EINVAL;
    AUTO(secret) struct secret *hash = NULL;
    int result = secret_new(PASSWORD_HASH_SIZE, &hash);
    if (result != 0)
        return result;
    const char *text = password.len == 0 ? "" : (const char *)password.at;
    if (crypto_pwhash_argon2id(secret_edit(hash), PASSWORD_HASH_SIZE, text, password.len, params->salt, params->passes,
                               (size_t)params->memory_kib * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return -ENOMEM;
    *ret_hash = TAKE(hash);
    return 0;
}

int password_split(const struct secret *hash, struct secret **ret_proof, struct secret **ret_wrapping_key)
{
    AUTO(secret) struct secret *proof = NULL;
    int result = kdf_derive(secret_span(hash), "waxwing password proof 1", &proof);
    if (result == 0)
        result = kdf_derive(secret_span(hash), "waxwing password wrapping 1", ret_wrapping_key);
    if (result == 0)
        *ret_proof = TAKE(proof);
    return result;
}

int password_verifier(const struct secret *proof, uint8_t ret_verifier[PASSWORD_VERIFIER_SIZE])
{
    return kdf_hkdf(secret_span(proof), SPAN_NONE, SPAN("waxwing login verifier 1"), ret_verifier,
                    PASSWORD_VERIFIER_SIZE);
}
