#include "base/test.h"

#include "crypto/aead.h"

#include <sodium.h>
#include <string.h>

/* Test cases 14 and 16 of the GCM specification (McGrew and Viega), AES-256. */
static void gcm_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *key, *nonce, *bound, *plain, *sealed, *tag;
    } rows[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
         "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de"
         "65"
         "7ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7"
         "a0"
         "abcc9f662",
         "76fc6ece0f4e1768cddf8853bb2d551b"},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        uint8_t key[32];
        uint8_t nonce[12];
        uint8_t bound[64];
        uint8_t plain[64];
        uint8_t sealed[64];
        uint8_t tag[16];
        uint8_t out[64];
        uint8_t out_tag[16];
        size_t bound_len = 0;
        size_t len = 0;
        sodium_hex2bin(key, 32, rows[row].key, 64, NULL, NULL, NULL);
        sodium_hex2bin(nonce, 12, rows[row].nonce, 24, NULL, NULL, NULL);
        sodium_hex2bin(bound, 64, rows[row].bound, strlen(rows[row].bound), NULL, &bound_len, NULL);
        sodium_hex2bin(plain, 64, rows[row].plain, strlen(rows[row].plain), NULL, &len, NULL);
        sodium_hex2bin(sealed, 64, rows[row].sealed, strlen(rows[row].sealed), NULL, NULL, NULL);
        sodium_hex2bin(tag, 16, rows[row].tag, 32, NULL, NULL, NULL);
        AUTO(aead) struct aead *aead = NULL;
        assert_int_equal(aead_new(key, &aead), 0);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(aead_seal(aead, nonce, span_of(bound, bound_len), span_of(plain, len), out, out_tag), 0);
            assert_memory_equal(out, sealed, len);
            assert_memory_equal(out_tag, tag, 16);
            assert_int_equal(aead_open(aead, nonce, span_of(bound, bound_len), span_of(out, len), tag, out), AEAD_OK);
            assert_memory_equal(out, plain, len);
        }
    }
}

static void every_flipped_bit_is_detected(void **state)
{
    (void)state;
    static const uint8_t key[32] = {7};
    struct {
        uint8_t nonce[12], bound[9], body[33], tag[16];
    } sealed = {{1}, {2}, {3}, {0}};
    AUTO(aead) struct aead *aead = NULL;
    assert_int_equal(aead_new(key, &aead), 0);
    assert_int_equal(
        aead_seal(aead, sealed.nonce, span_of(sealed.bound, 9), span_of(sealed.body, 33), sealed.body, sealed.tag), 0);
    uint8_t out[33];
    static const uint8_t zeros[33];
    uint8_t *bytes = (uint8_t *)&sealed;
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(
            aead_open(aead, sealed.nonce, span_of(sealed.bound, 9), span_of(sealed.body, 33), sealed.tag, out),
            AEAD_FORGED);
        assert_memory_equal(out, zeros, 33);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    assert_int_equal(aead_open(aead, sealed.nonce, span_of(sealed.bound, 9), span_of(sealed.body, 33), sealed.tag, out),
                     AEAD_OK);
    assert_int_equal(aead_open(aead, sealed.nonce, span_of(sealed.bound, 9), span_of(sealed.body, 32), sealed.tag, out),
                     AEAD_FORGED);
}

static void nothing_can_be_sealed(void **state)
{
    (void)state;
    static const uint8_t key[32] = {7};
    static const uint8_t nonce[12];
    uint8_t tag[16];
    uint8_t out[1];
    AUTO(aead) struct aead *aead = NULL;
    assert_int_equal(aead_new(key, &aead), 0);
    assert_int_equal(aead_seal(aead, nonce, SPAN("bound"), span_of(out, 0), out, tag), 0);
    assert_int_equal(aead_open(aead, nonce, SPAN("bound"), span_of(out, 0), tag, out), AEAD_OK);
    assert_int_equal(aead_open(aead, nonce, SPAN("other"), span_of(out, 0), tag, out), AEAD_FORGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_gives_the_known_answers),
        cmocka_unit_test(every_flipped_bit_is_detected),
        cmocka_unit_test(nothing_can_be_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
