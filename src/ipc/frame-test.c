#include "base/test.h"

#include "ipc/frame.h"

#include <errno.h>
#include <stdlib.h>

static void frames_come_out_as_they_went_in(void **state)
{
    (void)state;
    AUTO_BUF struct buf line;
    struct frame frame;
    struct frame_progress progress;
    struct frame_end end;
    size_t used = 0;
    buf_init(&line, 1000);
    assert_int_equal(frame_write(&line, FRAME_OUTPUT, SPAN("text")), 0);
    assert_int_equal(frame_write_progress(&line, &(struct frame_progress){3, 1ULL << 40, SPAN("reading")}), 0);
    assert_int_equal(frame_write_end(&line, &(struct frame_end){7, SPAN("why")}), 0);

    assert_int_equal(frame_read(buf_span(&line), &frame, &used), FRAME_READ);
    assert_int_equal(frame.kind, FRAME_OUTPUT);
    assert_true(span_equal(frame.bytes, SPAN("text")));
    assert_int_equal(frame_read_progress(&frame, &progress), -EBADMSG);
    assert_int_equal(frame_read_end(&frame, &end), -EBADMSG);
    buf_consume(&line, used);
    assert_int_equal(frame_read(buf_span(&line), &frame, &used), FRAME_READ);
    assert_int_equal(frame_read_progress(&frame, &progress), 0);
    assert_int_equal(progress.done, 3);
    assert_int_equal(progress.total, 1ULL << 40);
    assert_true(span_equal(progress.what, SPAN("reading")));
    buf_consume(&line, used);
    assert_int_equal(frame_read(buf_span(&line), &frame, &used), FRAME_READ);
    assert_int_equal(frame_read_end(&frame, &end), 0);
    assert_int_equal(end.status, 7);
    assert_true(span_equal(end.error, SPAN("why")));
    assert_int_equal(used, buf_len(&line));
}

static void a_frame_in_pieces_waits_for_the_last_byte(void **state)
{
    (void)state;
    AUTO_BUF struct buf line;
    struct frame frame;
    size_t used = 0;
    buf_init(&line, 1000);
    assert_int_equal(frame_write(&line, FRAME_INPUT, SPAN("abc")), 0);
    for (size_t len = 0; len < buf_len(&line); len++)
        assert_int_equal(frame_read(span_upto(buf_span(&line), len), &frame, &used), FRAME_MORE);
    assert_int_equal(frame_read(buf_span(&line), &frame, &used), FRAME_READ);
}

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    static const span_t bad[] = {
        {(const uint8_t *)"\0\0\0\0\0", 5},       /* no kind */
        {(const uint8_t *)"\005\0\0\0\0", 5},     /* an unknown one */
        {(const uint8_t *)"\001\001\0\001\0", 5}, /* a byte too long */
    };
    struct frame frame;
    struct frame_progress progress;
    struct frame_end end;
    size_t used = 0;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(frame_read(bad[i], &frame, &used), -EBADMSG);
    assert_int_equal(frame_read_progress(&(struct frame){FRAME_PROGRESS, SPAN("fifteen bytes..")}, &progress),
                     -EBADMSG);
    assert_int_equal(frame_read_end(&(struct frame){FRAME_END, SPAN("abc")}, &end), -EBADMSG);
}

static void too_much_for_one_frame_is_refused_at_writing(void **state)
{
    (void)state;
    AUTO_BUF struct buf line;
    buf_init(&line, 4 * (size_t)FRAME_MAX);
    uint8_t *bytes = calloc(1, FRAME_MAX + 1);
    assert_non_null(bytes);
    span_t much = span_of(bytes, FRAME_MAX + 1);
    assert_int_equal(frame_write(&line, FRAME_OUTPUT, much), -EMSGSIZE);
    assert_int_equal(frame_write_end(&line, &(struct frame_end){0, span_upto(much, FRAME_MAX - 3)}), -EMSGSIZE);
    assert_int_equal(frame_write_progress(&line, &(struct frame_progress){0, 0, span_upto(much, FRAME_MAX - 15)}),
                     -EMSGSIZE);
    assert_int_equal(buf_len(&line), 0);
    assert_int_equal(frame_write(&line, FRAME_OUTPUT, span_upto(much, FRAME_MAX)), 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_as_they_went_in),
        cmocka_unit_test(a_frame_in_pieces_waits_for_the_last_byte),
        cmocka_unit_test(what_is_no_frame_is_refused),
        cmocka_unit_test(too_much_for_one_frame_is_refused_at_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
