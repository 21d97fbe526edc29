#include "base/test.h"

#include "role/keeper/allowance.h"

static void an_hour_holds_so_many_recipients(void **state)
{
    (void)state;
    static const struct {
        uint64_t account, recipients;
        int64_t now;
        enum allowance_answer answer;
    } rows[] = {
        {1, 60, 36000, ALLOWANCE_GRANTED},  {1, 41, 36001, ALLOWANCE_USED_UP},
        {1, 40, 37800, ALLOWANCE_GRANTED},  {1, 1, 37801, ALLOWANCE_USED_UP},
        {2, 100, 37801, ALLOWANCE_GRANTED}, {1, 1, 39599, ALLOWANCE_USED_UP},
        {1, 60, 39600, ALLOWANCE_GRANTED}, /* the first sixty are an hour old */
        {1, 1, 39601, ALLOWANCE_USED_UP},   {1, 100, 80000, ALLOWANCE_GRANTED},
        {3, 101, 80000, ALLOWANCE_USED_UP}, {3, UINT64_MAX, 80000, ALLOWANCE_USED_UP},
    };
    AUTO(allowance) struct allowance *allowance = NULL;
    assert_int_equal(allowance_new(&allowance), 0);
    for (size_t row = 0; row < COUNT_OF(rows); row++)
        assert_int_equal(allowance_take(allowance, rows[row].account, rows[row].recipients, rows[row].now, 100),
                         rows[row].answer);
}

static void a_clock_that_goes_back_grants_nothing_more(void **state)
{
    (void)state;
    AUTO(allowance) struct allowance *allowance = NULL;
    assert_int_equal(allowance_new(&allowance), 0);
    assert_int_equal(allowance_take(allowance, 1, 100, 36000, 100), ALLOWANCE_GRANTED);
    assert_int_equal(allowance_take(allowance, 1, 1, 1000, 100), ALLOWANCE_USED_UP);
    assert_int_equal(allowance_take(allowance, 1, 100, 39600, 100), ALLOWANCE_GRANTED);
}

static void what_is_left_is_told_without_taking_it(void **state)
{
    (void)state;
    AUTO(allowance) struct allowance *allowance = NULL;
    assert_int_equal(allowance_new(&allowance), 0);
    assert_int_equal(allowance_left(allowance, 1, 36000, 100), 100);
    assert_int_equal(allowance_take(allowance, 1, 60, 36000, 100), ALLOWANCE_GRANTED);
    assert_int_equal(allowance_left(allowance, 1, 36000, 100), 40);
    assert_int_equal(allowance_left(allowance, 1, 36000, 50), 0);
    assert_int_equal(allowance_left(allowance, 1, 39600, 100), 100);
    assert_int_equal(allowance_left(allowance, 1, 36000, 100), 40);
}

static void who_has_to_wait_is_told_how_long(void **state)
{
    (void)state;
    static const struct {
        uint64_t recipients;
        int64_t now;
        int64_t wait;
    } rows[] = {
        {40, 37000, 0},     {41, 37000, 2600}, /* the first sixty leave at 39600 */
        {100, 37000, 2600}, {101, 37000, ALLOWANCE_NEVER},
        {100, 39599, 1},    {100, 39600, 0},
    };
    AUTO(allowance) struct allowance *allowance = NULL;
    assert_int_equal(allowance_new(&allowance), 0);
    assert_int_equal(allowance_wait(allowance, 1, 100, 36000, 100), 0);
    assert_int_equal(allowance_wait(allowance, 1, 101, 36000, 100), ALLOWANCE_NEVER);
    assert_int_equal(allowance_take(allowance, 1, 60, 36000, 100), ALLOWANCE_GRANTED);
    for (size_t row = 0; row < COUNT_OF(rows); row++)
        assert_int_equal(allowance_wait(allowance, 1, rows[row].recipients, rows[row].now, 100), rows[row].wait);
    assert_int_equal(allowance_used(allowance, 1, 39599), 60);
    assert_int_equal(allowance_used(allowance, 1, 39600), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_holds_so_many_recipients),
        cmocka_unit_test(a_clock_that_goes_back_grants_nothing_more),
        cmocka_unit_test(what_is_left_is_told_without_taking_it),
        cmocka_unit_test(who_has_to_wait_is_told_how_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
