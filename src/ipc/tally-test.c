#include "base/test.h"

#include <string.h>

#include "ipc/tally.h"

static const struct tally_row sound = {.kind = TALLY_DMARC,
                                       .day = 20000,
                                       .count = UINT64_MAX,
                                       .domain = SPAN("x.test"),
                                       .context = SPAN(""),
                                       .what = SPAN("a\0b")};

static void rows_are_read_as_they_were_written(void **state)
{
    AUTO_BUF struct buf rows;
    struct tally_row row;
    (void)state;
    buf_init(&rows, TALLY_ROWS_MAX);
    assert_int_equal(tally_row_write(&sound, &rows), 0);
    assert_int_equal(tally_row_write(&sound, &rows), 0);
    span_t rest = buf_span(&rows);
    assert_true(tally_row_next(&rest, &row) && tally_row_next(&rest, &row));
    assert_int_equal(rest.len, 0);
    assert_int_equal(row.kind, TALLY_DMARC);
    assert_int_equal(row.day, 20000);
    assert_true(row.count == UINT64_MAX);
    assert_true(span_equal(row.domain, sound.domain) && span_equal(row.what, sound.what));
    assert_int_equal(row.context.len, 0);
    for (size_t len = 0; len < buf_len(&rows) / 2; len++) {
        rest = span_upto(buf_span(&rows), len);
        assert_false(tally_row_next(&rest, &row));
    }
}

static void a_row_that_makes_no_sense_is_none(void **state)
{
    static uint8_t large[TALLY_CONTEXT_MAX + 1];
    struct tally_row rows[] = {sound, sound, sound, sound, sound, sound, sound};
    AUTO_BUF struct buf bytes;
    (void)state;
    memset(large, 'x', sizeof(large));
    rows[0].kind = TALLY_KIND_COUNT;
    rows[1].count = 0;
    rows[2].domain = SPAN_NONE;
    rows[3].domain = SPAN("x\0y");
    rows[4].domain = span_of(large, TALLY_DOMAIN_MAX + 1);
    rows[5].context = span_of(large, TALLY_CONTEXT_MAX + 1);
    rows[6].what = SPAN_NONE;
    buf_init(&bytes, TALLY_ROWS_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_true(tally_row_write(&rows[i], &bytes) < 0);
    assert_int_equal(buf_len(&bytes), 0);
}

static void a_row_without_room_leaves_the_others_whole(void **state)
{
    AUTO_BUF struct buf bytes;
    (void)state;
    buf_init(&bytes, 50);
    assert_int_equal(tally_row_write(&sound, &bytes), 0);
    const size_t len = buf_len(&bytes);
    assert_true(tally_row_write(&sound, &bytes) < 0);
    assert_int_equal(buf_len(&bytes), len);
    assert_int_equal(buf_fault(&bytes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_as_they_were_written),
        cmocka_unit_test(a_row_that_makes_no_sense_is_none),
        cmocka_unit_test(a_row_without_room_leaves_the_others_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
