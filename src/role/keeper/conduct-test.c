#include "base/test.h"

#include <errno.h>

#include "role/keeper/conduct.h"

#define DAY ((int64_t)86400)
#define START ((int64_t)1800000000)

static const struct conduct_limits limits = {.fresh = 200, .bounced = 50, .factor = 5};

/* To so many people, the first of whom is `from`. */
static void write_to(struct conduct *conduct, unsigned from, unsigned count, int64_t now)
{
    for (unsigned at = from; at < from + count; at++)
        conduct_add_recipient(conduct, (uint16_t)at, now);
}

static void a_first_newsletter_is_as_usual_and_a_flood_is_not(void **state)
{
    (void)state;
    static struct conduct conduct;
    write_to(&conduct, 0, 20, START);
    assert_int_equal(conduct_judge(&conduct, &limits, START), CONDUCT_USUAL);
    write_to(&conduct, 20, 180, START + 3600);
    assert_int_equal(conduct_judge(&conduct, &limits, START + 3600), CONDUCT_USUAL);
    write_to(&conduct, 200, 1, START + 7200);
    assert_int_equal(conduct_judge(&conduct, &limits, START + 7200), CONDUCT_STRANGERS);
    const struct conduct_limits none = {.factor = 5};
    assert_int_equal(conduct_judge(&conduct, &none, START + 7200), CONDUCT_USUAL);
}

static void those_it_wrote_to_before_are_not_new(void **state)
{
    (void)state;
    static struct conduct conduct;
    for (unsigned week = 0; week < 10; week++) {
        for (unsigned part = 0; part < 5; part++) /* a list of a thousand, built over the first days */
            write_to(&conduct, part * 200, 200, START + (int64_t)(7 * week + part) * DAY);
        assert_int_equal(conduct_judge(&conduct, &limits, START + (int64_t)(7 * week + 4) * DAY), CONDUCT_USUAL);
    }
    write_to(&conduct, 0, 1000, START + 80 * DAY);
    assert_int_equal(conduct_today(&conduct, CONDUCT_NEW, START + 80 * DAY), 0);
    assert_int_equal(conduct_today(&conduct, CONDUCT_SENT, START + 80 * DAY), 1000);
    assert_int_equal(conduct_judge(&conduct, &limits, START + 80 * DAY), CONDUCT_USUAL);
}

static void who_always_writes_to_strangers_may_go_on(void **state)
{
    (void)state;
    static struct conduct conduct;
    int64_t now = START;
    for (unsigned day = 0; day < 120; day++, now += DAY)
        write_to(&conduct, day * 150, 150, now);
    assert_in_range(conduct_usual(&conduct, CONDUCT_NEW), 115, 150);
    write_to(&conduct, 30000, 500, now + DAY);
    assert_int_equal(conduct_judge(&conduct, &limits, now + DAY), CONDUCT_USUAL);
    write_to(&conduct, 31000, 500, now + DAY);
    assert_int_equal(conduct_judge(&conduct, &limits, now + DAY), CONDUCT_STRANGERS);
    uint64_t usual = conduct_usual(&conduct, CONDUCT_NEW);
    /* what it used to do is forgotten as time goes on */
    conduct_settle(&conduct, CONDUCT_WAS_THIEF, &limits, now + DAY);
    assert_int_equal(conduct_usual(&conduct, CONDUCT_NEW), usual);
    write_to(&conduct, 31000, 500, now + DAY);
    assert_int_equal(conduct_today(&conduct, CONDUCT_NEW, now + DAY), 500);
    conduct_settle(&conduct, CONDUCT_WAS_THIEF, &limits, now + DAY);
    assert_int_equal(conduct_today(&conduct, CONDUCT_NEW, now + 400 * DAY), 0);
    assert_int_equal(conduct_usual(&conduct, CONDUCT_NEW), 0);
}

static void a_list_with_some_dead_addresses_is_no_thief(void **state)
{
    (void)state;
    static struct conduct conduct;
    write_to(&conduct, 0, 190, START);
    conduct_add_bounces(&conduct, 50, START + 5);
    assert_int_equal(conduct_judge(&conduct, &limits, START + 5), CONDUCT_USUAL);
    conduct_add_bounces(&conduct, 1, START + 6);
    assert_int_equal(conduct_judge(&conduct, &limits, START + 6), CONDUCT_BOUNCES);
    static struct conduct large;
    for (unsigned day = 0; day < 10; day++)
        write_to(&large, day * 190, 190, START + day * DAY);
    write_to(&large, 0, 1900, START + 20 * DAY);
    conduct_add_bounces(&large, 150, START + 20 * DAY);
    assert_int_equal(conduct_judge(&large, &limits, START + 20 * DAY), CONDUCT_USUAL);
    conduct_add_bounces(&large, 50, START + 20 * DAY);
    assert_int_equal(conduct_judge(&large, &limits, START + 20 * DAY), CONDUCT_BOUNCES);
}

static void what_was_the_owners_doing_may_happen_again(void **state)
{
    (void)state;
    static struct conduct conduct;
    write_to(&conduct, 0, 500, START);
    assert_int_equal(conduct_judge(&conduct, &limits, START), CONDUCT_STRANGERS);
    conduct_settle(&conduct, CONDUCT_WAS_OWNER, &limits, START);
    assert_int_equal(conduct_judge(&conduct, &limits, START), CONDUCT_USUAL);
    write_to(&conduct, 1000, 500, START + 30 * DAY);
    assert_int_equal(conduct_judge(&conduct, &limits, START + 30 * DAY), CONDUCT_USUAL);
    write_to(&conduct, 2000, 500, START + 30 * DAY);
    assert_int_equal(conduct_judge(&conduct, &limits, START + 30 * DAY), CONDUCT_STRANGERS);
}

static void a_clock_that_goes_back_forgets_nothing(void **state)
{
    (void)state;
    static struct conduct conduct;
    write_to(&conduct, 0, 201, START);
    assert_int_equal(conduct_judge(&conduct, &limits, START - 10 * DAY), CONDUCT_STRANGERS);
    write_to(&conduct, 300, 1, START - 10 * DAY);
    assert_int_equal(conduct_today(&conduct, CONDUCT_NEW, START), 202);
}

static void the_marks_are_as_many_as_there_is_room(void **state)
{
    (void)state;
    static struct conduct conduct;
    write_to(&conduct, 0, CONDUCT_KNOWN_MAX + 10, START);
    assert_int_equal(conduct.known_count, CONDUCT_KNOWN_MAX);
    write_to(&conduct, 10, 1, START); /* used again, it is the newest */
    assert_int_equal(conduct.known[CONDUCT_KNOWN_MAX - 1], 10);
    assert_int_equal(conduct.known[0], 11);
    assert_int_equal(conduct_today(&conduct, CONDUCT_NEW, START), CONDUCT_KNOWN_MAX + 10);
}

static void what_is_kept_is_read_again(void **state)
{
    (void)state;
    static struct conduct conduct;
    static struct conduct again;
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, CONDUCT_BYTES_MAX);
    for (unsigned day = 0; day < 30; day++)
        write_to(&conduct, day * 100, 100, START + day * DAY);
    conduct_add_bounces(&conduct, 7, START + 30 * DAY);
    assert_int_equal(conduct_write(&conduct, &bytes), 0);
    assert_int_equal(conduct_read(buf_span(&bytes), &again), 0);
    assert_memory_equal(&conduct, &again, sizeof(conduct));
    for (size_t len = 0; len < 330; len++)
        assert_true(conduct_read(span_upto(buf_span(&bytes), len), &again) == -EBADMSG || len > 312);
    bytes.bytes[bytes.start] = 2;
    assert_int_equal(conduct_read(buf_span(&bytes), &again), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_newsletter_is_as_usual_and_a_flood_is_not),
        cmocka_unit_test(those_it_wrote_to_before_are_not_new),
        cmocka_unit_test(who_always_writes_to_strangers_may_go_on),
        cmocka_unit_test(a_list_with_some_dead_addresses_is_no_thief),
        cmocka_unit_test(what_was_the_owners_doing_may_happen_again),
        cmocka_unit_test(a_clock_that_goes_back_forgets_nothing),
        cmocka_unit_test(the_marks_are_as_many_as_there_is_room),
        cmocka_unit_test(what_is_kept_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
