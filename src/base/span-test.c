#include "base/test.h"

#include <errno.h>

#include "base/span.h"

static void parts_beyond_the_end_are_clipped(void **state)
{
    (void)state;
    span_t word = SPAN("waxwing");
    assert_true(span_equal(span_from(word, 3), SPAN("wing")));
    assert_int_equal(span_from(word, 9).len, 0);
    assert_true(span_equal(span_slice(word, 3, 100), SPAN("wing")));
    assert_true(span_equal(span_upto(word, 3), SPAN("wax")));
}

static void finding_answers_the_length_when_there_is_nothing(void **state)
{
    (void)state;
    span_t text = SPAN("a=b=c");
    assert_int_equal(span_find_byte(text, '='), 1);
    assert_int_equal(span_find_last_byte(text, '='), 3);
    assert_int_equal(span_find_byte(text, '?'), text.len);
    assert_int_equal(span_find(text, SPAN("=c")), 3);
    assert_int_equal(span_find_nocase(text, SPAN("B=C")), 2);
    assert_int_equal(span_find_nocase(text, SPAN("longer than the text")), text.len);
    assert_int_equal(span_find(SPAN_NONE, SPAN("x")), 0);
}

static void cutting_yields_every_piece_and_ends(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "", "b", ""};
    span_t rest = SPAN("a,,b,");
    span_t piece;
    size_t count = 0;
    while (span_cut(&rest, ',', &piece)) {
        assert_true(count < COUNT_OF(pieces));
        assert_true(span_equal(piece, span_of_text(pieces[count++])));
    }
    assert_int_equal(count, COUNT_OF(pieces));
}

static void order_is_bytewise_and_prefixes_come_first(void **state)
{
    (void)state;
    assert_true(span_compare(SPAN("a"), SPAN("b")) < 0);
    assert_true(span_compare(SPAN("ab"), SPAN("a")) > 0);
    assert_int_equal(span_compare(SPAN("x"), SPAN("x")), 0);
    assert_true(span_equal_nocase(SPAN("INBOX"), SPAN("inbox")));
    assert_false(span_equal_nocase(SPAN("INBOX"), SPAN("inbo")));
}

static void trimming_takes_white_space_off_both_ends(void **state)
{
    (void)state;
    assert_true(span_equal(span_trim(SPAN("\r\n\t x y \r\n")), SPAN("x y")));
    assert_int_equal(span_trim(SPAN(" \t")).len, 0);
}

static void numbers_are_digits_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        int result;
        uint64_t value;
    } rows[] = {
        {"0", 10, 0, 0},
        {"10", 10, 0, 10},
        {"11", 10, -ERANGE, 0},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
        {"", 10, -EINVAL, 0},
        {"-1", 10, -EINVAL, 0},
        {"1 ", 10, -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value = 0;
        assert_int_equal(span_to_u64(span_of_text(rows[i].text), rows[i].max, &value), rows[i].result);
        assert_true(value == rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_beyond_the_end_are_clipped),
        cmocka_unit_test(finding_answers_the_length_when_there_is_nothing),
        cmocka_unit_test(cutting_yields_every_piece_and_ends),
        cmocka_unit_test(order_is_bytewise_and_prefixes_come_first),
        cmocka_unit_test(trimming_takes_white_space_off_both_ends),
        cmocka_unit_test(numbers_are_digits_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
