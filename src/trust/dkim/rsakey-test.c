#include "base/test.h"

#include "trust/dkim/rsakey.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    EVP_PKEY *key;
    uint8_t *der;
    size_t len;
};

static struct sample make_sample(unsigned bits)
{
    struct sample sample = {.key = EVP_RSA_gen(bits)};
    assert_non_null(sample.key);
    int len = i2d_PUBKEY(sample.key, &sample.der);
    assert_true(len > 0);
    sample.len = (size_t)len;
    return sample;
}

static void sample_deinit(struct sample *sample)
{
    EVP_PKEY_free(sample->key);
    OPENSSL_free(sample->der);
}

static void keys_of_all_sizes_are_what_openssl_wrote(void **state)
{
    (void)state;
    static const unsigned sizes[] = {512, 1024, 2048, 3072};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct sample sample = make_sample(sizes[i]);
        EVP_PKEY *key = rsa_key_read(span_of(sample.der, sample.len));
        assert_non_null(key);
        assert_int_equal(EVP_PKEY_eq(key, sample.key), 1);
        EVP_PKEY_free(key);
        sample_deinit(&sample);
    }
}

static void what_is_cut_short_or_longer_is_no_key(void **state)
{
    (void)state;
    struct sample sample = make_sample(1024);
    for (size_t len = 0; len < sample.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1); /* so that a byte too many is seen */
        assert_non_null(exact);
        memcpy(exact, sample.der, len);
        assert_null(rsa_key_read(span_of(exact, len)));
        free(exact);
    }
    uint8_t longer[512] = {0};
    memcpy(longer, sample.der, sample.len);
    assert_null(rsa_key_read(span_of(longer, sample.len + 1)));
    sample_deinit(&sample);
}

static void another_kind_of_key_is_left_to_others(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    assert_null(rsa_key_read(span_of(der, (size_t)len)));
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static void a_changed_byte_never_gives_the_same_key(void **state)
{
    (void)state;
    struct sample sample = make_sample(512);
    for (size_t i = 0; i < sample.len; i++) {
        sample.der[i] ^= 0x41;
        EVP_PKEY *key = rsa_key_read(span_of(sample.der, sample.len));
        if (key != NULL)
            assert_int_not_equal(EVP_PKEY_eq(key, sample.key), 1);
        EVP_PKEY_free(key);
        sample.der[i] ^= 0x41;
    }
    sample_deinit(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_all_sizes_are_what_openssl_wrote),
        cmocka_unit_test(what_is_cut_short_or_longer_is_no_key),
        cmocka_unit_test(another_kind_of_key_is_left_to_others),
        cmocka_unit_test(a_changed_byte_never_gives_the_same_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
