#include "base/test.h"

#include "crypto/secret.h"

static void secrets_are_zeroed_copied_and_compared(void **state)
{
    (void)state;
    AUTO(secret) struct secret *zero = NULL;
    AUTO(secret) struct secret *copy = NULL;
    assert_int_equal(secret_new(3, &zero), 0);
    assert_memory_equal(secret_bytes(zero), "\0\0\0", 3);
    char source[] = "abc";
    assert_int_equal(secret_take(source, 3, &copy), 0);
    assert_memory_equal(source, "\0\0\0", 3);
    assert_true(secret_equal(secret_span(copy), SPAN("abc")));
    assert_false(secret_equal(secret_span(copy), SPAN("abd")));
    assert_false(secret_equal(secret_span(copy), SPAN("ab")));
    assert_true(secret_equal(SPAN_NONE, secret_span(NULL)));
    assert_true(secret_new(SECRET_MAX + 1, &zero) < 0);
}

static void random_secrets_differ(void **state)
{
    (void)state;
    AUTO(secret) struct secret *one = NULL;
    AUTO(secret) struct secret *other = NULL;
    assert_int_equal(secret_new_random(32, &one), 0);
    assert_int_equal(secret_new_random(32, &other), 0);
    assert_false(secret_equal(secret_span(one), secret_span(other)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_zeroed_copied_and_compared),
        cmocka_unit_test(random_secrets_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
