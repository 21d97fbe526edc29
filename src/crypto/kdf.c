#include "crypto/kdf.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define HASH_SIZE crypto_auth_hmacsha256_BYTES

static void hmac(span_t key, span_t one, span_t two, span_t three, uint8_t out[HASH_SIZE])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key.at, key.len);
    if (one.len > 0)
        crypto_auth_hmacsha256_update(&state, one.at, one.len);
    if (two.len > 0)
        crypto_auth_hmacsha256_update(&state, two.at, two.len);
    if (three.len > 0)
        crypto_auth_hmacsha256_update(&state, three.at, three.len);
    crypto_auth_hmacsha256_final(&state, out);
    secret_wipe(&state, sizeof(state));
}

int kdf_hkdf(span_t key, span_t salt, span_t info, uint8_t *out, size_t len)
{
    static const uint8_t no_salt[HASH_SIZE];
    if (len > 255 * HASH_SIZE)
        return -EINVAL;
    uint8_t extracted[HASH_SIZE];
    uint8_t block[HASH_SIZE];
    hmac(salt.len == 0 ? span_of(no_salt, sizeof(no_salt)) : salt, key, SPAN_NONE, SPAN_NONE, extracted);
    span_t previous = SPAN_NONE;
    for (uint8_t counter = 1; len > 0; counter++) {
        hmac(span_of(extracted, sizeof(extracted)), previous, info, span_of(&counter, 1), block);
        size_t take = len < HASH_SIZE ? len : HASH_SIZE;
        memcpy(out, block, take);
        out += take;
        len -= take;
        previous = span_of(block, sizeof(block));
    }
    secret_wipe(extracted, sizeof(extracted));
    secret_wipe(block, sizeof(block));
    return 0;
}

int kdf_derive(span_t key, const char *label, struct secret **ret_key)
{
    AUTO(secret) struct secret *derived = NULL;
    int result = secret_new(KEY_SIZE, &derived);
    if (result == 0)
        result = kdf_hkdf(key, SPAN_NONE, span_of_text(label), secret_edit(derived), KEY_SIZE);
    if (result == 0)
        *ret_key = TAKE(derived);
    return result;
}

static int derive_pair(const struct secret *root, const char *label, uint8_t ret_public[KEY_SIZE],
                       struct secret **ret_private)
{
    AUTO(secret) struct secret *seed = NULL;
    AUTO(secret) struct secret *private = NULL;
    int result = kdf_derive(secret_span(root), label, &seed);
    if (result == 0)
        result = secret_new(crypto_box_SECRETKEYBYTES, &private);
    if (result != 0)
        return result;
    if (crypto_box_seed_keypair(ret_public, secret_edit(private), secret_bytes(seed)) != 0)
        return -EIO;
    *ret_private = TAKE(private);
    return 0;
}

int kdf_sealing_pair(const struct secret *root, uint8_t ret_public[KEY_SIZE], struct secret **ret_private)
{
    return derive_pair(root, "waxwing account sealing pair 1", ret_public, ret_private);
}

int kdf_queue_pair(const struct secret *server, uint8_t ret_public[KEY_SIZE], struct secret **ret_private)
{
    return derive_pair(server, "waxwing server queue pair 1", ret_public, ret_private);
}

int kdf_vault_key(const struct secret *root, struct secret **ret_key)
{
    return kdf_derive(secret_span(root), "waxwing account vault 1", ret_key);
}

int kdf_directory_key(const struct secret *server, struct secret **ret_key)
{
    return kdf_derive(secret_span(server), "waxwing server directory 1", ret_key);
}

int kdf_reports_key(const struct secret *server, struct secret **ret_key)
{
    return kdf_derive(secret_span(server), "waxwing server reports 1", ret_key);
}

int kdf_srs_key(const struct secret *server, struct secret **ret_key)
{
    return kdf_derive(secret_span(server), "waxwing server srs 1", ret_key);
}

int kdf_log_header_key(const struct secret *server, struct secret **ret_key)
{
    return kdf_derive(secret_span(server), "waxwing server log header 1", ret_key);
}
