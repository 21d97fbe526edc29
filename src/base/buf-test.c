#include "base/test.h"

#include <errno.h>

#include "base/buf.h"
#include "base/mem.h"

static void what_is_consumed_makes_room_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf;
    buf_init(&buf, 8);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_append(&buf, SPAN("12345678")), 0);
        buf_consume(&buf, 3);
        assert_int_equal(buf_append(&buf, SPAN("abc")), 0);
        assert_true(span_equal(buf_span(&buf), SPAN("45678abc")));
        buf_consume(&buf, 8);
    }
}

static void nothing_goes_beyond_the_maximum(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf;
    buf_init(&buf, 4);
    assert_int_equal(buf_append(&buf, SPAN("abc")), 0);
    assert_int_equal(buf_append(&buf, SPAN("de")), -ENOBUFS);
    assert_int_equal(buf_fault(&buf), -ENOBUFS);
    assert_true(span_equal(buf_span(&buf), SPAN("abc")));
    buf_clear(&buf);
    assert_int_equal(buf_fault(&buf), 0);
}

static void failed_memory_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf;
    buf_init(&buf, 100000);
    assert_int_equal(buf_append(&buf, SPAN("kept")), 0);
    uint8_t *at = NULL;
    mem_fail_after(1);
    int result = buf_reserve(&buf, 50000, &at);
    mem_fail_after(0);
    assert_int_equal(result, -ENOMEM);
    assert_true(span_equal(buf_span(&buf), SPAN("kept")));
}

static void numbers_and_formats_are_appended_as_text(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(buf_append_u64(&buf, 0), 0);
    assert_int_equal(buf_append_byte(&buf, ' '), 0);
    assert_int_equal(buf_append_u64(&buf, UINT64_MAX), 0);
    assert_int_equal(buf_append_format(&buf, " %s-%d", "x", 7), 0);
    assert_true(span_equal(buf_span(&buf), SPAN("0 18446744073709551615 x-7")));
    buf_truncate(&buf, 1);
    assert_true(span_equal(buf_span(&buf), SPAN("0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_consumed_makes_room_again),
        cmocka_unit_test(nothing_goes_beyond_the_maximum),
        cmocka_unit_test(failed_memory_leaves_the_buffer_as_it_was),
        cmocka_unit_test(numbers_and_formats_are_appended_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
