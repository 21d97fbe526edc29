#include "base/test.h"

#include "role/courier/due.h"

#define MANY 200U

static void what_is_due_first_comes_first(void **state)
{
    (void)state;
    struct due dues[MANY] = {0};
    struct schedule schedule = {0};
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(schedule_put(&schedule, &dues[i], (int64_t)((i * 7919) % 1009)), 0);
    for (size_t i = 0; i < MANY; i += 3)
        assert_int_equal(schedule_put(&schedule, &dues[i], (int64_t)((i * 104729) % 2003)), 0);
    for (size_t i = 1; i < MANY; i += 5)
        schedule_remove(&schedule, &dues[i]);
    int64_t before = -1;
    size_t count = 0;
    for (struct due *due; (due = schedule_first(&schedule)) != NULL; count++) {
        assert_true(due->at >= before);
        before = due->at;
        schedule_remove(&schedule, due);
        schedule_remove(&schedule, due); /* harmless */
    }
    assert_int_equal(count, MANY - MANY / 5);
    schedule_free(&schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_first_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
