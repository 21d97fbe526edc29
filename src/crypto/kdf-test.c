#include "base/test.h"

#include "crypto/kdf.h"

#include <sodium.h>
#include <string.h>

/* RFC 5869 §A.1 to §A.3. */
static void hkdf_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *key, *salt, *info, *out;
    } rows[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353"
         "63"
         "738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
         "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959"
         "69"
         "798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
         "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e"
         "6e"
         "7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
         "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f0"
         "9b"
         "8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        uint8_t key[128];
        uint8_t salt[128];
        uint8_t info[128];
        uint8_t expected[128];
        uint8_t out[128];
        size_t key_len = 0;
        size_t salt_len = 0;
        size_t info_len = 0;
        size_t out_len = 0;
        sodium_hex2bin(key, 128, rows[row].key, strlen(rows[row].key), NULL, &key_len, NULL);
        sodium_hex2bin(salt, 128, rows[row].salt, strlen(rows[row].salt), NULL, &salt_len, NULL);
        sodium_hex2bin(info, 128, rows[row].info, strlen(rows[row].info), NULL, &info_len, NULL);
        sodium_hex2bin(expected, 128, rows[row].out, strlen(rows[row].out), NULL, &out_len, NULL);
        assert_int_equal(
            kdf_hkdf(span_of(key, key_len), span_of(salt, salt_len), span_of(info, info_len), out, out_len), 0);
        assert_memory_equal(out, expected, out_len);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state;
    static uint8_t out[256 * 32];
    assert_int_equal(kdf_hkdf(SPAN("key"), SPAN_NONE, SPAN_NONE, out, 255 * 32), 0);
    assert_true(kdf_hkdf(SPAN("key"), SPAN_NONE, SPAN_NONE, out, 255 * 32 + 1) < 0);
}

/* What stands sealed on somebody's disk must open tomorrow: the labels may never change. */
static void account_keys_are_fixed_by_the_root_secret(void **state)
{
    (void)state;
    AUTO(secret) struct secret *root = NULL;
    AUTO(secret) struct secret *private = NULL;
    AUTO(secret) struct secret *vault = NULL;
    uint8_t public[KEY_SIZE];
    uint8_t again[KEY_SIZE];
    char hex[2 * KEY_SIZE + 1];
    assert_int_equal(secret_copy(SPAN("0123456789abcdef0123456789abcdef"), &root), 0);
    assert_int_equal(kdf_sealing_pair(root, public, &private), 0);
    assert_int_equal(kdf_vault_key(root, &vault), 0);
    crypto_scalarmult_base(again, secret_bytes(private));
    assert_memory_equal(public, again, KEY_SIZE);
    assert_string_equal(sodium_bin2hex(hex, sizeof(hex), public, KEY_SIZE),
                        "b867e4032c38ac7831ea4731eb8186d910e86638fd1fac1be7464afb04ed2635");
    assert_string_equal(sodium_bin2hex(hex, sizeof(hex), secret_bytes(vault), KEY_SIZE),
                        "5a00565c2a76e89ff21c0cf0129b52a18cfa88453dcd908c786bda23998c5bd1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hkdf_gives_the_known_answers),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(account_keys_are_fixed_by_the_root_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
