#include "crypto/aead.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"

#define AEAD_INPUT_MAX (1U << 30U)

/* One context each way: OpenSSL keeps the expanded key in it, so that a message costs no key schedule. */
struct aead {
    EVP_CIPHER_CTX *seal;
    EVP_CIPHER_CTX *open;
};

int aead_new(const uint8_t key[AEAD_KEY_SIZE], struct aead **ret_aead)
{
    AUTO(aead) struct aead *aead = mem_new(sizeof(*aead));
    if (aead == NULL)
        return -ENOMEM;
    aead->seal = EVP_CIPHER_CTX_new();
    aead->open = EVP_CIPHER_CTX_new();
    if (aead->seal == NULL || aead->open == NULL)
        return -ENOMEM;
    if (EVP_EncryptInit_ex(aead->seal, EVP_aes_256_gcm(), NULL, key, NULL) != 1 ||
        EVP_DecryptInit_ex(aead->open, EVP_aes_256_gcm(), NULL, key, NULL) != 1)
        return -EIO;
    *ret_aead = TAKE(aead);
    return 0;
}

void aead_free(struct aead *aead)
{
    if (aead == NULL)
        return;
    EVP_CIPHER_CTX_free(aead->seal); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(aead->open);
    scope_free(&aead);
}

int aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], span_t bound, span_t in, uint8_t *out,
              uint8_t ret_tag[AEAD_TAG_SIZE])
{
    if (in.len > AEAD_INPUT_MAX || bound.len > AEAD_INPUT_MAX)
        return -EINVAL;
    int written = 0;
    if (EVP_EncryptInit_ex(aead->seal, NULL, NULL, NULL, nonce) != 1)
        return -EIO;
    if (bound.len > 0 && EVP_EncryptUpdate(aead->seal, NULL, &written, bound.at, (int)bound.len) != 1)
        return -EIO;
    if (in.len > 0 && EVP_EncryptUpdate(aead->seal, out, &written, in.at, (int)in.len) != 1)
        return -EIO;
    if (EVP_EncryptFinal_ex(aead->seal, out + in.len, &written) != 1)
        return -EIO;
    return EVP_CIPHER_CTX_ctrl(aead->seal, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, ret_tag) == 1 ? 0 : -EIO;
}

int aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], span_t bound, span_t in,
              const uint8_t tag[AEAD_TAG_SIZE], uint8_t *out)
{
    if (in.len > AEAD_INPUT_MAX || bound.len > AEAD_INPUT_MAX)
        return -EINVAL;
    uint8_t expected[AEAD_TAG_SIZE];
    memcpy(expected, tag, sizeof(expected));
    int written = 0;
    if (EVP_DecryptInit_ex(aead->open, NULL, NULL, NULL, nonce) != 1)
        return -EIO;
    if (bound.len > 0 && EVP_DecryptUpdate(aead->open, NULL, &written, bound.at, (int)bound.len) != 1)
        return -EIO;
    if (in.len > 0 && EVP_DecryptUpdate(aead->open, out, &written, in.at, (int)in.len) != 1)
        return -EIO;
    if (EVP_CIPHER_CTX_ctrl(aead->open, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, expected) != 1)
        return -EIO;
    if (EVP_DecryptFinal_ex(aead->open, out + in.len, &written) != 1) {
        if (in.len > 0)
            secret_wipe(out, in.len);
        return AEAD_FORGED;
    }
    return AEAD_OK;
}
