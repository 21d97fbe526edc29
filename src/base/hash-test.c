#include "base/test.h"

#include "base/hash.h"

/* The reference vectors of SipHash-2-4: key 00 01 … 0f, input 00 01 … of growing length. */
static void reference_vectors_hold(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t hash;
    } rows[] = {
        {0, 0x726fdb47dd0e0e31U}, {1, 0x74f839c593dc67fdU}, {8, 0x93f5f5799a932462U}, {15, 0xa129ca6149be45e5U}};
    uint8_t key[16];
    uint8_t input[16];
    for (uint8_t i = 0; i < 16; i++) {
        key[i] = i;
        input[i] = i;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_true(hash_keyed(key, span_of(input, rows[i].len)) == rows[i].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference_vectors_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
