#include "base/test.h"

#include "tool/progress.h"

#define OFTEN 100

static const struct progress_point start = {.what = {(const uint8_t *)"messages", 8}, .whole = 1000, .total = 1000};

static struct progress_point point_at(uint64_t count)
{
    struct progress_point point = start;
    point.count = point.done = count;
    return point;
}

static void assert_line(const struct progress *progress, const struct progress_point *point, int64_t now_ms,
                        enum progress_form form, const char *expected)
{
    AUTO_BUF struct buf line;
    buf_init(&line, 200);
    assert_int_equal(progress_write(progress, point, now_ms, form, &line), 0);
    (void)buf_append_byte(&line, '\0');
    assert_string_equal(buf_span(&line).at, expected);
}

static void a_line_says_how_far_how_fast_and_how_long(void **state)
{
    (void)state;
    struct progress progress = {0};
    struct progress_point point = point_at(250);
    assert_false(progress_is_due(&progress, &start, 1000, OFTEN));
    assert_line(&progress, &start, 1000, PROGRESS_WORDS, "0 of 1000 messages, 0 %");
    assert_true(progress_is_due(&progress, &point, 3500, OFTEN));
    assert_line(&progress, &point, 3500, PROGRESS_WORDS, "250 of 1000 messages, 25 %, 100/s, 0:07 left");
    assert_line(&progress, &point, 3500, PROGRESS_BAR,
                "[######..................] 250 of 1000 messages, 25 %, 100/s, 0:07 left");
    point = point_at(1000);
    assert_line(&progress, &point, 11000, PROGRESS_BAR,
                "[########################] 1000 of 1000 messages, 100 %, 100/s");
}

static void what_is_measured_may_be_another_than_what_is_counted(void **state)
{
    (void)state;
    struct progress progress = {0};
    struct progress_point point = {.what = SPAN("messages"), .total = 40000000};
    (void)progress_is_due(&progress, &point, 0, OFTEN);
    point.count = 300;
    point.done = 10000;
    assert_line(&progress, &point, 2000, PROGRESS_WORDS, "300 messages, 0 %, 150/s, 2:13:18 left");
    point.total = 0;
    assert_line(&progress, &point, 2000, PROGRESS_BAR, "300 messages, 150/s");
}

static void how_fast_is_told_of_the_last_seconds(void **state)
{
    (void)state;
    struct progress progress = {0};
    struct progress_point point = point_at(0);
    for (int64_t second = 0; second <= 4; second++) {
        point = point_at((uint64_t)second * 200); /* what was there before goes quickly */
        (void)progress_is_due(&progress, &point, second * 1000, OFTEN);
    }
    for (int64_t second = 5; second <= 12; second++) {
        point = point_at(800 + ((uint64_t)second - 4) * 10);
        (void)progress_is_due(&progress, &point, second * 1000, OFTEN);
    }
    assert_line(&progress, &point, 12000, PROGRESS_WORDS, "880 of 1000 messages, 88 %, 10/s, 0:12 left");
}

static void another_thing_is_measured_anew(void **state)
{
    (void)state;
    struct progress progress = {0};
    struct progress_point rules = {.what = SPAN("rules"), .count = 10, .whole = 10, .done = 10, .total = 10};
    struct progress_point point = point_at(20);
    (void)progress_is_due(&progress, &rules, 0, OFTEN);
    assert_false(progress_is_due(&progress, &point, 5000, OFTEN));
    assert_line(&progress, &point, 5000, PROGRESS_WORDS, "20 of 1000 messages, 2 %");
}

static void it_is_shown_every_so_often(void **state)
{
    (void)state;
    struct progress progress = {0};
    assert_false(progress_is_due(&progress, &start, 5000, OFTEN));
    assert_false(progress_is_due(&progress, &start, 5099, OFTEN));
    assert_true(progress_is_due(&progress, &start, 5100, OFTEN));
    assert_false(progress_is_due(&progress, &start, 5199, OFTEN));
    assert_true(progress_is_due(&progress, &start, 5200, OFTEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_how_far_how_fast_and_how_long),
        cmocka_unit_test(what_is_measured_may_be_another_than_what_is_counted),
        cmocka_unit_test(how_fast_is_told_of_the_last_seconds),
        cmocka_unit_test(another_thing_is_measured_anew),
        cmocka_unit_test(it_is_shown_every_so_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
