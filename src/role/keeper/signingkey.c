#include "role/keeper/signingkey.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"

#define ED25519_SIZE 32U

static void key_release(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
#define AUTO_KEY __attribute__((cleanup(key_release)))

static EVP_PKEY *load(enum dkim_algorithm algorithm, span_t private_key)
{
    const uint8_t *at = private_key.at;
    return d2i_PrivateKey(algorithm == DKIM_RSA_SHA256 ? EVP_PKEY_RSA : EVP_PKEY_ED25519, NULL, &at,
                          (long)private_key.len);
}

int signing_key_make(enum dkim_algorithm algorithm, struct secret **ret_private)
{
    unsigned char *der = NULL;
    AUTO_KEY EVP_PKEY *key = algorithm == DKIM_RSA_SHA256
                                 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)SIGNING_RSA_BITS)
                                 : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int len = key != NULL ? i2d_PrivateKey(key, &der) : -1;
    int result = len > 0 ? secret_take(der, (size_t)len, ret_private) : -EIO;
    OPENSSL_free(der);
    return result;
}

/* RSA as a SubjectPublicKeyInfo, Ed25519 as its 32 bytes. */
static int append_public(enum dkim_algorithm algorithm, EVP_PKEY *key, struct buf *text)
{
    uint8_t raw[ED25519_SIZE];
    size_t raw_len = sizeof(raw);
    unsigned char *der = NULL;
    if (algorithm == DKIM_ED25519_SHA256)
        return EVP_PKEY_get_raw_public_key(key, raw, &raw_len) == 1 ? base64_encode(span_of(raw, raw_len), text) : -EIO;
    int len = i2d_PUBKEY(key, &der);
    int result = len > 0 ? base64_encode(span_of(der, (size_t)len), text) : -EIO;
    OPENSSL_free(der);
    return result;
}

int signing_key_record(enum dkim_algorithm algorithm, span_t private_key, struct buf *text)
{
    AUTO_KEY EVP_PKEY *key = load(algorithm, private_key);
    if (key == NULL)
        return -EBADMSG;
    (void)buf_append_format(text, "v=DKIM1; k=%s; p=", algorithm == DKIM_RSA_SHA256 ? "rsa" : "ed25519");
    int result = append_public(algorithm, key, text);
    return result != 0 ? result : buf_fault(text);
}

static bool sign_rsa(EVP_PKEY *key, const uint8_t *hash, uint8_t *signature, size_t *len)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool good = context != NULL && EVP_PKEY_sign_init(context) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
                EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
                EVP_PKEY_sign(context, signature, len, hash, DKIM_HASH_SIZE) == 1;
    EVP_PKEY_CTX_free(context);
    return good;
}

static bool sign_edwards(EVP_PKEY *key, const uint8_t *hash, uint8_t *signature, size_t *len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, len, hash, DKIM_HASH_SIZE) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

struct signing_key {
    enum dkim_algorithm algorithm;
    EVP_PKEY *key;
};

int signing_key_new(enum dkim_algorithm algorithm, span_t private_key, struct signing_key **ret_key)
{
    AUTO(signing_key) struct signing_key *key = mem_new(sizeof(*key));
    if (key == NULL)
        return -ENOMEM;
    *key = (struct signing_key){.algorithm = algorithm, .key = load(algorithm, private_key)};
    if (key->key == NULL)
        return -EBADMSG;
    *ret_key = TAKE(key);
    return 0;
}

void signing_key_free(struct signing_key *key)
{
    if (key != NULL)
        EVP_PKEY_free(key->key);
    free(key);
}

int signing_key_sign(const struct signing_key *key, const uint8_t hash[DKIM_HASH_SIZE], struct buf *signature)
{
    uint8_t bytes[SIGNATURE_MAX];
    size_t len = sizeof(bytes);
    bool good = key->algorithm == DKIM_RSA_SHA256 ? sign_rsa(key->key, hash, bytes, &len)
                                                  : sign_edwards(key->key, hash, bytes, &len);
    return good ? buf_append(signature, span_of(bytes, len)) : -EIO;
}
