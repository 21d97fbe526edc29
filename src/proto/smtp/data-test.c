#include "base/test.h"

#include "proto/smtp/data.h"

static const struct {
    span_t sent;
    span_t content;
    size_t used; /* 0: all, and the end has not come */
    bool bare;
} rows[] = {
    {SPAN(".\r\n"), SPAN(""), 3, false},
    {SPAN("a\r\n.\r\nQUIT\r\n"), SPAN("a\r\n"), 6, false}, /* RFC 5321 §4.1.1.4 */
    {SPAN("..\r\n.\r\n"), SPAN(".\r\n"), 7, false},        /* RFC 5321 §4.5.2 */
    {SPAN(".a\r\n..b\r\n.\r\n"), SPAN("a\r\n.b\r\n"), 12, false},
    {SPAN("a.\r\n.\r\n"), SPAN("a.\r\n"), 7, false},
    {SPAN("\r\n\r\n.\r\n"), SPAN("\r\n\r\n"), 7, false},
    {SPAN("a\0b\xff\r\n.\r\n"), SPAN("a\0b\xff\r\n"), 9, false},
    /* What others took for the end (SMTP smuggling; RFC 5321 §2.3.8). */
    {SPAN("a\n.\n"), SPAN("a\n.\n"), 0, true},
    {SPAN("a\n.\r\nMAIL"), SPAN("a\n.\r\nMAIL"), 0, true},
    {SPAN("a\r\n.\nMAIL"), SPAN("a\r\n\nMAIL"), 0, true},
    {SPAN("a\r.\r\nMAIL"), SPAN("a\r.\r\nMAIL"), 0, true},
    {SPAN("a\r\n.\rMAIL"), SPAN("a\r\n\rMAIL"), 0, true},
    {SPAN("a\r\r\n.\r\n"), SPAN("a\r\r\n"), 7, true},
    {SPAN("a\r\n.\r\r\nb"), SPAN("a\r\n\r\r\nb"), 0, true},
    {SPAN("a\n\r\n.\r\n"), SPAN("a\n\r\n"), 7, true},
};

static void check(size_t row, size_t step)
{
    AUTO_BUF struct buf out;
    struct smtp_data data;
    span_t sent = rows[row].sent;
    size_t total = 0;
    int result = SMTP_DATA_MORE;
    buf_init(&out, 1000);
    smtp_data_init(&data);
    while (result == SMTP_DATA_MORE && total < sent.len) {
        size_t used = 0;
        result = smtp_data_feed(&data, span_slice(sent, total, step), &out, &used);
        assert_true(result >= 0);
        total += used;
    }
    size_t expected = rows[row].used == 0 ? sent.len : rows[row].used;
    if (total != expected || (result == SMTP_DATA_END) != (rows[row].used != 0) || data.bare_newline != rows[row].bare)
        fail_msg("row %zu in steps of %zu: used %zu, bare %d", row, step, total, data.bare_newline);
    /* A CR after a dot waits to be told from the end of the message. */
    if (!span_equal(buf_span(&out), rows[row].content) || data.size != rows[row].content.len)
        fail_msg("row %zu in steps of %zu: %.*s", row, step, SPAN_PRINT(buf_span(&out)));
}

static void content_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++)
        for (size_t step = 1; step <= rows[row].sent.len; step++)
            check(row, step);
}

static void chunks_are_looked_at_for_bare_newlines(void **state)
{
    static const struct {
        span_t sent;
        bool bare;
    } chunks[] = {{SPAN("a\r\nb\r\n"), false},
                  {SPAN("a\nb"), true},
                  {SPAN("a\rb"), true},
                  {SPAN("\r\r\n"), true},
                  {SPAN(".\r\n"), false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(chunks); i++)
        for (size_t step = 1; step <= chunks[i].sent.len; step++) {
            struct smtp_data data;
            smtp_data_init(&data);
            for (size_t at = 0; at < chunks[i].sent.len; at += step)
                smtp_data_look(&data, span_slice(chunks[i].sent, at, step));
            assert_int_equal(data.bare_newline, chunks[i].bare);
            assert_int_equal(data.size, chunks[i].sent.len);
        }
}

static void the_longest_line_is_known_however_it_is_cut(void **state)
{
    static const span_t sent = SPAN("12345\r\n..8\r\n\r\n1234567890\r\n1\r\n.\r\n");
    (void)state;
    for (size_t step = 1; step <= sent.len; step++) {
        AUTO_BUF struct buf out;
        struct smtp_data data;
        buf_init(&out, 1000);
        smtp_data_init(&data);
        for (size_t at = 0; at < sent.len;) {
            size_t used = 0;
            assert_true(smtp_data_feed(&data, span_slice(sent, at, step), &out, &used) >= 0);
            at += used;
        }
        assert_int_equal(data.longest, 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_the_same_however_it_is_cut),
        cmocka_unit_test(the_longest_line_is_known_however_it_is_cut),
        cmocka_unit_test(chunks_are_looked_at_for_bare_newlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
