#include "base/test.h"

#include "role/keeper/greylist.h"

static const uint8_t key[16] = "0123456789abcde";

static void who_comes_again_after_the_delay_passes(void **state)
{
    (void)state;
    static const struct {
        const char *triple;
        int64_t now;
        enum greylist_answer answer;
    } rows[] = {
        {"a", 1000, GREYLIST_WAIT},
        {"a", 1299, GREYLIST_WAIT},
        {"b", 1300, GREYLIST_WAIT},
        {"a", 1300, GREYLIST_PASS},
        {"a", 1301, GREYLIST_PASS},
        {"a", 1301 + GREYLIST_MEMORY, GREYLIST_PASS},
        {"a", 1302 + 2 * GREYLIST_MEMORY, GREYLIST_WAIT},
        {"b", 1301 + GREYLIST_PATIENCE, GREYLIST_WAIT}, /* too late */
        {"b", 1600 + GREYLIST_PATIENCE, GREYLIST_WAIT},
        {"b", 1601 + GREYLIST_PATIENCE, GREYLIST_PASS},
    };
    AUTO(greylist) struct greylist *greylist = NULL;
    assert_int_equal(greylist_new(key, &greylist), 0);
    for (size_t row = 0; row < COUNT_OF(rows); row++)
        assert_int_equal(greylist_ask(greylist, span_of_text(rows[row].triple), rows[row].now, 300), rows[row].answer);
}

static void a_flood_pushes_out_what_was_touched_longest_ago(void **state)
{
    (void)state;
    AUTO(greylist) struct greylist *greylist = NULL;
    assert_int_equal(greylist_new(key, &greylist), 0);
    assert_int_equal(greylist_ask(greylist, SPAN("old"), 0, 10), GREYLIST_WAIT);
    assert_int_equal(greylist_ask(greylist, SPAN("known"), 0, 10), GREYLIST_WAIT);
    for (uint32_t at = 0; at < GREYLIST_MAX - 2; at++)
        assert_int_equal(greylist_ask(greylist, span_of(&at, sizeof(at)), 20, 10), GREYLIST_WAIT);
    assert_int_equal(greylist_ask(greylist, SPAN("known"), 20, 10), GREYLIST_PASS);
    assert_int_equal(greylist_ask(greylist, SPAN("new"), 20, 10), GREYLIST_WAIT);
    assert_int_equal(greylist_ask(greylist, SPAN("known"), 20, 10), GREYLIST_PASS);
    assert_int_equal(greylist_ask(greylist, SPAN("old"), 30, 10), GREYLIST_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_again_after_the_delay_passes),
        cmocka_unit_test(a_flood_pushes_out_what_was_touched_longest_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
