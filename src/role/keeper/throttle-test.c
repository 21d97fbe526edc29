#include "base/test.h"

#include "role/keeper/throttle.h"

#include <stdio.h>

#define FREE 3
#define DELAY 2000

static const uint8_t key[16] = {1};

static int set_up(void **state)
{
    struct throttle *throttle = NULL;
    int result = throttle_new(FREE, DELAY, key, &throttle);
    *state = throttle;
    return result;
}

static int tear_down(void **state)
{
    throttle_free(*state);
    return 0;
}

static void fail_times(struct throttle *throttle, int64_t now, const char *user, const char *client, int times)
{
    for (int at = 0; at < times; at++)
        assert_int_equal(
            throttle_tell(throttle, now, span_of_text(user), span_of_text(client), SPAN_NONE, THROTTLE_FAILED), 0);
}

static int64_t wait_of(struct throttle *throttle, int64_t now, const char *user, const char *client)
{
    int64_t wait = -1;
    int result = throttle_ask(throttle, now, span_of_text(user), span_of_text(client), &wait);
    return result == THROTTLE_GO ? wait : -1;
}

static void few_failures_are_free_and_further_ones_double(void **state)
{
    struct throttle *throttle = *state;
    fail_times(throttle, 0, "alice", "192.0.2.1", FREE - 1);
    assert_int_equal(wait_of(throttle, 0, "alice", "198.51.100.1"), 0);
    fail_times(throttle, 0, "alice", "192.0.2.1", 1);
    assert_int_equal(wait_of(throttle, 0, "alice", "198.51.100.1"), DELAY);
    fail_times(throttle, 0, "alice", "203.0.113.1", 1);
    assert_int_equal(wait_of(throttle, 0, "alice", "198.51.100.1"), 2 * DELAY);
    fail_times(throttle, 0, "alice", "203.0.113.1", 100);
    assert_int_equal(wait_of(throttle, 0, "alice", "198.51.100.1"), THROTTLE_DELAY_MAX);
    assert_int_equal(wait_of(throttle, 0, "bob", "198.51.100.1"), 0);
}

static void a_network_is_one_client_and_waits_in_turn(void **state)
{
    struct throttle *throttle = *state;
    fail_times(throttle, 0, "a", "192.0.2.1", 1);
    fail_times(throttle, 0, "b", "192.0.2.77", 1);
    fail_times(throttle, 0, "c", "::ffff:192.0.2.9", 1);
    assert_int_equal(wait_of(throttle, 0, "d", "192.0.2.200"), DELAY);
    assert_int_equal(wait_of(throttle, 0, "d", "192.0.2.200"), 2 * DELAY);
    assert_int_equal(wait_of(throttle, 0, "d", "192.0.3.200"), 0);
    fail_times(throttle, 0, "x", "2001:db8::1", 2);
    fail_times(throttle, 0, "y", "2001:db8::ffff:1", 1);
    assert_int_equal(wait_of(throttle, 0, "z", "2001:db8::2"), DELAY);
    assert_int_equal(wait_of(throttle, 0, "z", "2001:db8:0:1::2"), 0);
}

static void a_queue_that_is_too_long_is_refused(void **state)
{
    struct throttle *throttle = *state;
    fail_times(throttle, 0, "a", "192.0.2.1", 50);
    assert_int_equal(wait_of(throttle, 0, "a", "192.0.2.1"), THROTTLE_DELAY_MAX);
    assert_int_equal(wait_of(throttle, 0, "a", "192.0.2.1"), 2 * THROTTLE_DELAY_MAX);
    assert_int_equal(wait_of(throttle, 0, "a", "192.0.2.1"), -1);
    assert_int_equal(wait_of(throttle, THROTTLE_DELAY_MAX, "a", "192.0.2.1"), 2 * THROTTLE_DELAY_MAX);
}

static void strangers_do_not_lock_a_user_out(void **state)
{
    struct throttle *throttle = *state;
    assert_int_equal(throttle_tell(throttle, 0, SPAN("alice"), SPAN("192.0.2.1"), SPAN_NONE, THROTTLE_SUCCEEDED), 0);
    fail_times(throttle, 1, "alice", "203.0.113.1", 500);
    fail_times(throttle, 1, "bob", "192.0.2.2", 500); /* somebody else in her own network */
    assert_int_equal(wait_of(throttle, 2, "alice", "192.0.2.1"), 0);
    for (int at = 0; at < 1000; at++)
        (void)wait_of(throttle, 2, "alice", "203.0.113.1");
    assert_int_equal(wait_of(throttle, 2, "alice", "192.0.2.9"), 0);
    /* From a new network she waits, but is not refused. */
    assert_int_equal(wait_of(throttle, 2, "alice", "198.51.100.1"), THROTTLE_DELAY_MAX);
}

static void a_trusted_network_is_not_free_to_guess(void **state)
{
    struct throttle *throttle = *state;
    assert_int_equal(throttle_tell(throttle, 0, SPAN("alice"), SPAN("192.0.2.1"), SPAN_NONE, THROTTLE_SUCCEEDED), 0);
    fail_times(throttle, 0, "alice", "192.0.2.1", FREE);
    assert_int_equal(wait_of(throttle, 0, "alice", "192.0.2.1"), DELAY);
    assert_int_equal(wait_of(throttle, 0, "alice", "192.0.2.1"), 2 * DELAY);
    assert_int_equal(throttle_tell(throttle, 9000, SPAN("alice"), SPAN("192.0.2.1"), SPAN_NONE, THROTTLE_SUCCEEDED), 0);
    assert_int_equal(wait_of(throttle, 9000, "alice", "192.0.2.1"), 0);
}

static void a_forgotten_device_counts_once(void **state)
{
    struct throttle *throttle = *state;
    span_t client = SPAN("192.0.2.1");
    assert_int_equal(throttle_tell(throttle, 0, SPAN("alice"), client, SPAN_NONE, THROTTLE_SUCCEEDED), 0);
    for (int at = 0; at < 100; at++)
        assert_int_equal(throttle_tell(throttle, 0, SPAN("alice"), client, SPAN("the old one"), THROTTLE_FAILED), 0);
    assert_int_equal(wait_of(throttle, 0, "alice", "192.0.2.1"), 0);
    assert_int_equal(throttle_tell(throttle, 0, SPAN("alice"), client, SPAN("another"), THROTTLE_FAILED), 0);
    assert_int_equal(throttle_tell(throttle, 0, SPAN("alice"), client, SPAN("a third"), THROTTLE_FAILED), 0);
    assert_int_equal(wait_of(throttle, 0, "alice", "192.0.2.1"), DELAY);
}

static void failures_are_forgotten(void **state)
{
    struct throttle *throttle = *state;
    fail_times(throttle, 0, "alice", "192.0.2.1", 4);
    assert_int_equal(wait_of(throttle, 0, "alice", "198.51.100.1"), 2 * DELAY);
    assert_int_equal(wait_of(throttle, THROTTLE_HALF_LIFE, "alice", "198.51.100.1"), 0);
}

static void tables_stay_bounded_and_keep_the_trusted(void **state)
{
    struct throttle *throttle = *state;
    assert_int_equal(throttle_tell(throttle, 0, SPAN("alice"), SPAN("192.0.2.1"), SPAN_NONE, THROTTLE_SUCCEEDED), 0);
    fail_times(throttle, 0, "alice", "203.0.113.1", 100);
    for (unsigned at = 0; at < THROTTLE_ENTRIES_MAX + 10; at++) {
        char user[32];
        (void)snprintf(user, sizeof(user), "user%u", at);
        fail_times(throttle, 0, user, "203.0.113.1", 1);
    }
    assert_int_equal(wait_of(throttle, 0, "alice", "198.51.100.1"), 0); /* pushed out */
    fail_times(throttle, 0, "alice", "203.0.113.1", 100);
    assert_int_equal(wait_of(throttle, 0, "alice", "192.0.2.1"), 0);
}

struct kept {
    uint64_t pair[4];
    int64_t last[4];
    unsigned count;
    int answer;
};

static int keep(void *arg, uint64_t pair, int64_t last)
{
    struct kept *kept = arg;
    if (kept->answer != 0)
        return kept->answer;
    assert_true(kept->count < COUNT_OF(kept->pair));
    kept->pair[kept->count] = pair;
    kept->last[kept->count++] = last;
    return 0;
}

static void log_in(struct throttle *throttle, int64_t now, const char *user, const char *client)
{
    assert_int_equal(
        throttle_tell(throttle, now, span_of_text(user), span_of_text(client), SPAN_NONE, THROTTLE_SUCCEEDED), 0);
}

static void a_login_is_news_until_it_is_kept_and_a_day_later(void **state)
{
    struct throttle *throttle = *state;
    struct kept kept = {.answer = -5};
    log_in(throttle, 1000, "alice", "192.0.2.1");
    log_in(throttle, 2000, "alice", "192.0.2.1");
    log_in(throttle, 3000, "alice", "198.51.100.1");
    assert_int_equal(throttle_news(throttle, keep, &kept), -5);
    kept.answer = 0;
    assert_int_equal(throttle_news(throttle, keep, &kept), 0);
    assert_int_equal(kept.count, 2);
    assert_int_equal(kept.last[0] + kept.last[1], 5000);
    log_in(throttle, 4000, "alice", "192.0.2.1");
    assert_int_equal(throttle_news(throttle, keep, &kept), 0);
    assert_int_equal(kept.count, 2);
    log_in(throttle, 2000 + THROTTLE_NEWS_EVERY, "alice", "192.0.2.1");
    assert_int_equal(throttle_news(throttle, keep, &kept), 0);
    assert_int_equal(kept.count, 3);
}

static void what_was_kept_is_trusted_in_another_life(void **state)
{
    struct throttle *throttle = *state;
    AUTO(throttle) struct throttle *later = NULL;
    struct kept kept = {.count = 0};
    log_in(throttle, 500, "alice", "192.0.2.1");
    assert_int_equal(throttle_news(throttle, keep, &kept), 0);
    assert_int_equal(throttle_new(FREE, DELAY, key, &later), 0);
    fail_times(later, 0, "alice", "203.0.113.1", 100);
    assert_true(wait_of(later, 0, "alice", "192.0.2.1") > 0);
    assert_int_equal(throttle_recall(later, kept.pair[0], -THROTTLE_TRUST), 0);
    assert_true(wait_of(later, 0, "alice", "192.0.2.1") > 0);
    assert_int_equal(throttle_recall(later, kept.pair[0], -60000), 0);
    assert_int_equal(wait_of(later, 0, "alice", "192.0.2.1"), 0);
    assert_true(wait_of(later, 0, "alice", "203.0.113.1") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(few_failures_are_free_and_further_ones_double, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_network_is_one_client_and_waits_in_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_queue_that_is_too_long_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_do_not_lock_a_user_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trusted_network_is_not_free_to_guess, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_forgotten_device_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_stay_bounded_and_keep_the_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_login_is_news_until_it_is_kept_and_a_day_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_kept_is_trusted_in_another_life, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
