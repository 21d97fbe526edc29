#include "base/test.h"

#include "crypto/password.h"

#include <sodium.h>

/* Computed with the argon2 reference tool's parameters: t=3, m=64 KiB, p=1, salt 16 times 's', 64 bytes. */
static void one_password_gives_one_hash(void **state)
{
    (void)state;
    struct password_params params = {.memory_kib = 64, .passes = 3, .salt = "ssssssssssssssss"};
    AUTO(secret) struct secret *one = NULL;
    AUTO(secret) struct secret *same = NULL;
    AUTO(secret) struct secret *other = NULL;
    assert_int_equal(password_hash(&params, SPAN("correct horse"), &one), 0);
    assert_int_equal(password_hash(&params, SPAN("correct horse"), &same), 0);
    assert_true(secret_equal(secret_span(one), secret_span(same)));
    params.salt[0] ^= 1;
    assert_int_equal(password_hash(&params, SPAN("correct horse"), &other), 0);
    assert_false(secret_equal(secret_span(one), secret_span(other)));
    char hex[2 * PASSWORD_HASH_SIZE + 1];
    assert_string_equal(sodium_bin2hex(hex, sizeof(hex), secret_bytes(one), PASSWORD_HASH_SIZE),
                        "73b9d4fa486ada69f208760acac1a69309168c18a685dbc058b479d4434edf9cd0143f295d463d05443b7866a43974"
                        "9711af65c97035a54ec385ff3e9d40a799");
}

static void proof_and_wrapping_key_have_nothing_in_common(void **state)
{
    (void)state;
    struct password_params params = {.memory_kib = 64, .passes = 1, .salt = "ssssssssssssssss"};
    AUTO(secret) struct secret *hash = NULL;
    AUTO(secret) struct secret *proof = NULL;
    AUTO(secret) struct secret *wrapping = NULL;
    uint8_t verifier[PASSWORD_VERIFIER_SIZE];
    assert_int_equal(password_hash(&params, SPAN(""), &hash), 0);
    assert_int_equal(password_split(hash, &proof, &wrapping), 0);
    assert_int_equal(password_verifier(proof, verifier), 0);
    assert_false(secret_equal(secret_span(proof), secret_span(wrapping)));
    assert_false(secret_equal(secret_span(proof), span_of(verifier, sizeof(verifier))));
}

static void impossible_params_are_refused(void **state)
{
    (void)state;
    struct password_params params = {.memory_kib = 1, .passes = 1};
    AUTO(secret) struct secret *hash = NULL;
    assert_true(password_hash(&params, SPAN("x"), &hash) < 0);
    params = (struct password_params){.memory_kib = 64};
    assert_true(password_hash(&params, SPAN("x"), &hash) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_password_gives_one_hash),
        cmocka_unit_test(proof_and_wrapping_key_have_nothing_in_common),
        cmocka_unit_test(impossible_params_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
