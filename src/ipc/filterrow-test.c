#include "base/test.h"

#include "ipc/filterrow.h"

#include <errno.h>
#include <string.h>

static const struct filter_row one = {.kind = FILTER_CLAMD,
                                      .standing = FILTER_IS_UP,
                                      .since = 1700000000,
                                      .asked = 10,
                                      .passed = 6,
                                      .junked = 1,
                                      .refused = 2,
                                      .deferred = 3,
                                      .failed = 4,
                                      .microseconds = 5,
                                      .version = "1.4"};

static void a_row_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t at[FILTER_ROW_SIZE];
    struct filter_row row;
    filter_row_put(at, &one);
    assert_int_equal(filter_row_get(at, &row), 0);
    assert_int_equal(row.kind, FILTER_CLAMD);
    assert_int_equal(row.standing, FILTER_IS_UP);
    assert_int_equal(row.since, 1700000000);
    assert_int_equal(row.asked, 10);
    assert_int_equal(row.passed, 6);
    assert_int_equal(row.junked, 1);
    assert_int_equal(row.refused, 2);
    assert_int_equal(row.deferred, 3);
    assert_int_equal(row.failed, 4);
    assert_int_equal(row.microseconds, 5);
    assert_string_equal(row.version, "1.4");
}

static void a_row_of_no_filter_is_refused(void **state)
{
    (void)state;
    uint8_t at[FILTER_ROW_SIZE];
    struct filter_row row;
    filter_row_put(at, &one);
    at[0] = FILTER_KIND_COUNT;
    assert_int_equal(filter_row_get(at, &row), -EBADMSG);
    at[0] = FILTER_CLAMD;
    at[1] = FILTER_STANDING_COUNT;
    assert_int_equal(filter_row_get(at, &row), -EBADMSG);
}

static void a_version_holds_nothing_that_could_break_a_line_or_json(void **state)
{
    (void)state;
    char version[FILTER_VERSION_MAX];
    filter_version_set(version, SPAN("rspamd/3.4\r\n\"x\\\x80"));
    assert_string_equal(version, "rspamd/3.4x");
    filter_version_set(version, SPAN("0123456789012345678901234567890123456789012345678901234567890"));
    assert_int_equal(strlen(version), FILTER_VERSION_MAX - 1);
}

static void the_worse_standing_counts(void **state)
{
    (void)state;
    struct filter_row sum = one;
    struct filter_row other = one;
    other.since = 1600000000;
    filter_row_add(&sum, &other);
    assert_int_equal(sum.asked, 20);
    assert_int_equal(sum.since, 1600000000);
    other.standing = FILTER_IS_DOWN;
    other.since = 1800000000;
    filter_row_add(&sum, &other);
    assert_int_equal(sum.standing, FILTER_IS_DOWN);
    assert_int_equal(sum.since, 1800000000);
    other.standing = FILTER_IS_ABSENT;
    filter_row_add(&sum, &other);
    assert_int_equal(sum.standing, FILTER_IS_DOWN);
    assert_int_equal(sum.microseconds, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_read_as_it_was_written),
        cmocka_unit_test(a_row_of_no_filter_is_refused),
        cmocka_unit_test(a_version_holds_nothing_that_could_break_a_line_or_json),
        cmocka_unit_test(the_worse_standing_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
