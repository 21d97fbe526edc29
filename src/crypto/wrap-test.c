#include "base/test.h"

#include "crypto/wrap.h"

#include <string.h>

struct fixture {
    struct secret *key;
    struct secret *root;
    uint8_t wrapped[WRAP_SIZE];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    return secret_new_random(32, &fixture.key) == 0 && secret_new_random(WRAP_SECRET_SIZE, &fixture.root) == 0 &&
                   wrap_seal(fixture.key, SPAN("account 7"), fixture.root, fixture.wrapped) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    secret_free(fixture->key);
    secret_free(fixture->root);
    return 0;
}

static void a_wrapped_secret_opens(void **state)
{
    const struct fixture *fixture = *state;
    AUTO(secret) struct secret *opened = NULL;
    assert_int_equal(wrap_open(fixture->key, SPAN("account 7"), span_of(fixture->wrapped, WRAP_SIZE), &opened),
                     WRAP_OK);
    assert_true(secret_equal(secret_span(opened), secret_span(fixture->root)));
}

static void every_flipped_bit_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    for (size_t bit = 0; bit < sizeof(fixture->wrapped) * 8; bit++) {
        AUTO(secret) struct secret *opened = NULL;
        fixture->wrapped[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        int expected = bit < 8 ? WRAP_UNKNOWN_VERSION : WRAP_FORGED;
        assert_int_equal(wrap_open(fixture->key, SPAN("account 7"), span_of(fixture->wrapped, WRAP_SIZE), &opened),
                         expected);
        assert_null(opened);
        fixture->wrapped[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

static void another_account_key_or_length_does_not_open(void **state)
{
    const struct fixture *fixture = *state;
    AUTO(secret) struct secret *opened = NULL;
    AUTO(secret) struct secret *other = NULL;
    assert_int_equal(secret_new_random(32, &other), 0);
    assert_int_equal(wrap_open(fixture->key, SPAN("account 8"), span_of(fixture->wrapped, WRAP_SIZE), &opened),
                     WRAP_FORGED);
    assert_int_equal(wrap_open(other, SPAN("account 7"), span_of(fixture->wrapped, WRAP_SIZE), &opened), WRAP_FORGED);
    for (size_t len = 0; len < WRAP_SIZE; len++)
        assert_int_equal(wrap_open(fixture->key, SPAN("account 7"), span_of(fixture->wrapped, len), &opened),
                         WRAP_FORGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrapped_secret_opens),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(another_account_key_or_length_does_not_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
