#include "base/test.h"

#include "crypto/token.h"

#include <string.h>

static void a_recovery_code_is_read_as_people_type_it(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        AUTO(secret) struct secret *code = NULL;
        AUTO(secret) struct secret *text = NULL;
        AUTO(secret) struct secret *read = NULL;
        assert_int_equal(recovery_code_new(&code), 0);
        assert_int_equal(recovery_code_write(code, &text), 0);
        assert_int_equal(recovery_code_read(secret_span(text), &read), RECOVERY_OK);
        assert_true(secret_equal(secret_span(code), secret_span(read)));
        char typed[64];
        size_t len = 0;
        for (size_t at = 0; at < secret_len(text); at++) {
            char letter = (char)ascii_lower(secret_bytes(text)[at]);
            if (letter != '-')
                typed[len++] = letter == '0' ? 'o' : letter == '1' ? 'l' : letter;
            if (at % 5 == 0)
                typed[len++] = ' ';
        }
        AUTO(secret) struct secret *again = NULL;
        assert_int_equal(recovery_code_read(span_of(typed, len), &again), RECOVERY_OK);
        assert_true(secret_equal(secret_span(code), secret_span(again)));
    }
}

static void a_mistyped_recovery_code_is_noticed(void **state)
{
    (void)state;
    AUTO(secret) struct secret *code = NULL;
    AUTO(secret) struct secret *text = NULL;
    assert_int_equal(secret_copy(SPAN("01234567890123456789"), &code), 0);
    assert_int_equal(recovery_code_write(code, &text), 0);
    uint8_t *letters = secret_edit(text);
    for (size_t at = 0; at < RECOVERY_TEXT_LEN; at++) {
        AUTO(secret) struct secret *read = NULL;
        uint8_t letter = letters[at];
        if (letter == '-')
            continue;
        letters[at] = letter == 'Z' ? 'Y' : 'Z';
        assert_int_equal(recovery_code_read(secret_span(text), &read), RECOVERY_MISTYPED);
        letters[at] = '!';
        assert_int_equal(recovery_code_read(secret_span(text), &read), RECOVERY_MISTYPED);
        letters[at] = letter;
        assert_int_equal(recovery_code_read(span_upto(secret_span(text), at), &read), RECOVERY_MISTYPED);
    }
}

static void app_passwords_are_shaped_and_differ(void **state)
{
    (void)state;
    AUTO(secret) struct secret *one = NULL;
    AUTO(secret) struct secret *other = NULL;
    assert_int_equal(app_password_new(&one), 0);
    assert_int_equal(app_password_new(&other), 0);
    assert_true(app_password_shaped(secret_span(one)));
    assert_false(secret_equal(secret_span(one), secret_span(other)));
    assert_false(app_password_shaped(SPAN("correct horse battery staple 12345")));
    assert_false(app_password_shaped(span_upto(secret_span(one), APP_PASSWORD_LEN - 1)));
}

static void a_token_gives_two_keys_per_salt(void **state)
{
    (void)state;
    AUTO(secret) struct secret *proof = NULL;
    AUTO(secret) struct secret *wrapping = NULL;
    AUTO(secret) struct secret *other_proof = NULL;
    AUTO(secret) struct secret *other_wrapping = NULL;
    assert_int_equal(token_split(SPAN("token"), SPAN("salt"), &proof, &wrapping), 0);
    assert_int_equal(token_split(SPAN("token"), SPAN("sal2"), &other_proof, &other_wrapping), 0);
    assert_false(secret_equal(secret_span(proof), secret_span(wrapping)));
    assert_false(secret_equal(secret_span(proof), secret_span(other_proof)));
    assert_false(secret_equal(secret_span(wrapping), secret_span(other_wrapping)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recovery_code_is_read_as_people_type_it),
        cmocka_unit_test(a_mistyped_recovery_code_is_noticed),
        cmocka_unit_test(app_passwords_are_shaped_and_differ),
        cmocka_unit_test(a_token_gives_two_keys_per_salt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
