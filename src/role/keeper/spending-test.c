#include "base/test.h"

#include "role/keeper/spending.h"

#define START 36000

static void the_narrower_limit_decides_and_a_refused_message_is_not_counted(void **state)
{
    (void)state;
    static const struct spending_limits limits = {.per_hour = {[SPENDING_RECIPIENTS] = 10, [SPENDING_MESSAGES] = 3}};
    static const struct {
        uint64_t account, recipients;
        int64_t now;
        enum spend_outcome outcome;
        uint64_t per_hour;
        int64_t wait;
    } rows[] = {
        {1, 11, START, SPEND_BEYOND, 10, 0},
        {1, 9, START, SPEND_OK, 0, 0},
        {1, 2, START + 300, SPEND_RECIPIENTS, 10, 3300},
        {1, 1, START + 300, SPEND_OK, 0, 0},
        {2, 1, START + 300, SPEND_OK, 0, 0},
        {2, 1, START + 300, SPEND_OK, 0, 0},
        {2, 1, START + 600, SPEND_OK, 0, 0},
        {2, 1, START + 600, SPEND_MESSAGES, 3, 3300},
        {2, 1, START + 3900, SPEND_OK, 0, 0},
    };
    AUTO(spending) struct spending *spending = NULL;
    assert_int_equal(spending_new(&spending), 0);
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct spending_refusal refusal = {0};
        assert_int_equal(
            spending_take(spending, rows[row].account, rows[row].recipients, rows[row].now, &limits, &refusal),
            rows[row].outcome);
        assert_int_equal(refusal.per_hour, rows[row].per_hour);
        assert_int_equal(refusal.wait, rows[row].wait);
    }
    assert_int_equal(spending_used(spending, SPENDING_RECIPIENTS, 2, START + 3900), 2);
    assert_int_equal(spending_used(spending, SPENDING_MESSAGES, 2, START + 3900), 2);
}

static void a_limit_that_is_set_later_counts_what_was_sent_before(void **state)
{
    (void)state;
    static const struct spending_limits none = {0};
    static const struct spending_limits few = {.per_hour = {[SPENDING_RECIPIENTS] = 5}};
    struct spending_refusal refusal = {0};
    AUTO(spending) struct spending *spending = NULL;
    assert_int_equal(spending_new(&spending), 0);
    for (unsigned at = 0; at < 10; at++)
        assert_int_equal(spending_take(spending, 1, 1000, START, &none, &refusal), SPEND_OK);
    assert_int_equal(spending_take(spending, 1, 1, START, &few, &refusal), SPEND_RECIPIENTS);
    assert_int_equal(refusal.wait, 3600);
    assert_int_equal(spending_take(spending, 1, 1, START, &none, &refusal), SPEND_OK);
}

static void an_account_has_its_own_limits_or_those_of_all(void **state)
{
    (void)state;
    static const struct spending_limits defaults = {.per_hour = {1000, 50}};
    static const struct spending_limits own = {.per_hour = {0, SPENDING_DEFAULT}};
    struct spending_limits limits = spending_limits_of(&own, &defaults);
    assert_int_equal(limits.per_hour[SPENDING_RECIPIENTS], 0);
    assert_int_equal(limits.per_hour[SPENDING_MESSAGES], 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_narrower_limit_decides_and_a_refused_message_is_not_counted),
        cmocka_unit_test(a_limit_that_is_set_later_counts_what_was_sent_before),
        cmocka_unit_test(an_account_has_its_own_limits_or_those_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
