#include "trust/dkim/rsakey.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdbool.h>

/*
 * d2i_PUBKEY() does this and more, but OpenSSL 3 lists all decoders of all providers anew for each key: four times as
 * long as the signature takes to verify.
 */
#define TAG_INTEGER 0x02U
#define TAG_BITS 0x03U
#define TAG_SEQUENCE 0x30U
#define LENGTH_OF_TWO 0x82U
#define LENGTH_OF_ONE 0x81U

/* The object's identifier 1.2.840.113549.1.1.1, and NULL. */
static const uint8_t rsa_encryption[] = {6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0};

/* A length and where it ends; false for one that is too long to be a key's, or longer than it has to be. */
static bool read_len(span_t der, size_t *ret_len, size_t *ret_after)
{
    size_t first = der.len > 1 ? der.at[1] : LENGTH_OF_TWO;
    *ret_len = first;
    *ret_after = 2;
    if (first < 0x80)
        return true;
    if (first == LENGTH_OF_ONE && der.len > 2) {
        *ret_len = der.at[2];
        *ret_after = 3;
        return *ret_len >= 0x80;
    }
    if (first != LENGTH_OF_TWO || der.len < 4)
        return false;
    *ret_len = (size_t)der.at[2] << 8 | der.at[3];
    *ret_after = 4;
    return *ret_len > 0xff;
}

static bool take(span_t *der, unsigned tag, span_t *ret_content)
{
    size_t len = 0;
    size_t after = 0;
    if (der->len < 2 || der->at[0] != tag || !read_len(*der, &len, &after) || len > der->len - after)
        return false;
    *ret_content = span_slice(*der, after, len);
    *der = span_from(*der, after + len);
    return true;
}

static bool take_number(span_t *der, span_t *ret_number)
{
    return take(der, TAG_INTEGER, ret_number) && ret_number->len > 0 && (ret_number->at[0] & 0x80U) == 0;
}

static bool find_numbers(span_t der, span_t *ret_modulus, span_t *ret_exponent)
{
    span_t info;
    span_t algorithm;
    span_t bits;
    span_t key;
    if (!take(&der, TAG_SEQUENCE, &info) || der.len > 0 || !take(&info, TAG_SEQUENCE, &algorithm) ||
        !span_equal(algorithm, span_of(rsa_encryption, sizeof(rsa_encryption))))
        return false;
    if (!take(&info, TAG_BITS, &bits) || info.len > 0 || bits.len == 0 || bits.at[0] != 0)
        return false;
    bits = span_from(bits, 1);
    return take(&bits, TAG_SEQUENCE, &key) && bits.len == 0 && take_number(&key, ret_modulus) &&
           take_number(&key, ret_exponent) && key.len == 0;
}

static EVP_PKEY *make(const BIGNUM *modulus, const BIGNUM *exponent)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *numbers = NULL;
    OSSL_PARAM_BLD *list = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    bool good = list != NULL && context != NULL && modulus != NULL && exponent != NULL &&
                OSSL_PARAM_BLD_push_BN(list, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
                OSSL_PARAM_BLD_push_BN(list, OSSL_PKEY_PARAM_RSA_E, exponent) == 1 &&
                (numbers = OSSL_PARAM_BLD_to_param(list)) != NULL && EVP_PKEY_fromdata_init(context) == 1;
    if (good && EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, numbers) != 1)
        key = NULL;
    OSSL_PARAM_free(numbers);
    OSSL_PARAM_BLD_free(list);
    EVP_PKEY_CTX_free(context);
    return key;
}

EVP_PKEY *rsa_key_read(span_t der)
{
    span_t modulus;
    span_t exponent;
    if (!find_numbers(der, &modulus, &exponent))
        return NULL;
    BIGNUM *n = BN_bin2bn(modulus.at, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent.at, (int)exponent.len, NULL);
    EVP_PKEY *key = make(n, e);
    BN_free(n);
    BN_free(e);
    return key;
}
