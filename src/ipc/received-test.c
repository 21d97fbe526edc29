#include "base/test.h"

#include <errno.h>

#include "ipc/received.h"

static void assert_span(span_t one, span_t other)
{
    assert_int_equal(one.len, other.len);
    assert_true(span_equal(one, other));
}

static void rows_come_back_as_they_were_written(void **state)
{
    (void)state;
    const struct received_row rows[] = {
        {7, {SPAN("none"), SPAN("pass"), SPAN("fail"), SPAN("192.0.2.1"), SPAN("example.org")}},
        {UINT64_MAX, {[RECEIVED_SENDER] = SPAN("x")}},
    };
    AUTO_BUF struct buf bytes = {0};
    buf_init(&bytes, RECEIVED_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(received_row_write(&rows[i], &bytes), 0);
    span_t rest = buf_span(&bytes);
    struct received_row row;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(received_row_next(&rest, &row));
        assert_int_equal(row.count, rows[i].count);
        for (size_t at = 0; at < RECEIVED_TEXTS; at++)
            assert_span(row.texts[at], rows[i].texts[at]);
    }
    assert_false(received_row_next(&rest, &row));
    assert_int_equal(rest.len, 0);
}

static void what_is_cut_off_anywhere_is_no_row(void **state)
{
    (void)state;
    const struct received_row whole = {7, {SPAN("none"), [RECEIVED_SENDER] = SPAN("mail.example.org pass")}};
    AUTO_BUF struct buf bytes = {0};
    struct received_row row;
    buf_init(&bytes, RECEIVED_BYTES_MAX);
    assert_int_equal(received_row_write(&whole, &bytes), 0);
    for (size_t len = 0; len < buf_len(&bytes); len++) {
        span_t rest = span_upto(buf_span(&bytes), len);
        assert_false(received_row_next(&rest, &row));
    }
    bytes.bytes[8] = RECEIVED_TEXT_MAX + 1;
    span_t rest = buf_span(&bytes);
    assert_false(received_row_next(&rest, &row));
}

static void a_row_that_does_not_fit_leaves_the_rows_as_they_were(void **state)
{
    (void)state;
    static const char text[RECEIVED_TEXT_MAX + 1];
    const struct received_row longest = {1, {span_of(text, RECEIVED_TEXT_MAX)}};
    const struct received_row too_long = {1, {span_of(text, RECEIVED_TEXT_MAX + 1)}};
    AUTO_BUF struct buf bytes = {0};
    buf_init(&bytes, 8 + RECEIVED_TEXTS + RECEIVED_TEXT_MAX);
    assert_int_equal(received_row_write(&too_long, &bytes), -EINVAL);
    assert_int_equal(received_row_write(&longest, &bytes), 0);
    size_t len = buf_len(&bytes);
    assert_int_equal(received_row_write(&longest, &bytes), -ENOBUFS);
    assert_int_equal(buf_len(&bytes), len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_were_written),
        cmocka_unit_test(what_is_cut_off_anywhere_is_no_row),
        cmocka_unit_test(a_row_that_does_not_fit_leaves_the_rows_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
