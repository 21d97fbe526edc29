#include "vault/fixture.h"
#include "vault/origin.h"

static void an_origin_is_remembered_with_its_transaction(void **state)
{
    struct place *place = *state;
    uint64_t count = 9;
    assert_int_equal(vault_origin_find(place->vault, SPAN("one")), VAULT_NOT_FOUND);
    assert_int_equal(vault_begin(place->vault, VAULT_DURABLE), 0);
    assert_int_equal(vault_origin_add(place->vault, SPAN("one")), 0);
    vault_rollback(place->vault);
    assert_int_equal(vault_origin_find(place->vault, SPAN("one")), VAULT_NOT_FOUND);
    assert_int_equal(vault_origin_add(place->vault, SPAN("one")), 0);
    assert_int_equal(vault_origin_add(place->vault, SPAN("one")), 0);
    assert_int_equal(vault_origin_add(place->vault, SPAN("two")), 0);
    reopen(place);
    assert_int_equal(vault_origin_find(place->vault, SPAN("one")), 0);
    assert_int_equal(vault_origin_find(place->vault, SPAN("three")), VAULT_NOT_FOUND);
    assert_int_equal(vault_origin_count(place->vault, &count), 0);
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_origin_is_remembered_with_its_transaction, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
