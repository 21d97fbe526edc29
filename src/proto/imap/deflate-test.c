#include "base/test.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "proto/imap/deflate.h"

/* What one side packs, the other unpacks, at most `max` bytes at a time. */
static void say(struct imap_deflate *from, struct imap_deflate *to, span_t text, size_t max)
{
    struct buf wire AUTO_BUF;
    struct buf plain AUTO_BUF;
    buf_init(&wire, 1 << 20);
    buf_init(&plain, 1 << 20);
    assert_int_equal(imap_deflate_pack(from, text, &wire), 0);
    assert_int_equal(imap_deflate_flush(from, &wire), 0);
    span_t rest = buf_span(&wire);
    while (rest.len > 0 || imap_deflate_has_more(to)) {
        size_t used = 0;
        size_t before = buf_len(&plain);
        assert_int_equal(imap_deflate_unpack(to, rest, max, &plain, &used), 0);
        assert_true(buf_len(&plain) - before <= max);
        rest = span_from(rest, used);
    }
    assert_true(span_equal(buf_span(&plain), text));
}

static void what_is_packed_comes_out_in_bounded_pieces(void **state)
{
    (void)state;
    AUTO(imap_deflate) struct imap_deflate *one = NULL;
    AUTO(imap_deflate) struct imap_deflate *other = NULL;
    static uint8_t much[300000];
    assert_int_equal(imap_deflate_new(&one), 0);
    assert_int_equal(imap_deflate_new(&other), 0);
    say(one, other, SPAN("a NOOP\r\n"), 65536);
    say(one, other, span_of(much, sizeof(much)), 1000);
    say(one, other, SPAN("b NOOP\r\n"), 1);
}

/* The reader goes on with what the writer may refer to; a writer that rested refers to nothing. */
static void it_goes_on_after_a_rest(void **state)
{
    (void)state;
    AUTO(imap_deflate) struct imap_deflate *one = NULL;
    AUTO(imap_deflate) struct imap_deflate *other = NULL;
    assert_int_equal(imap_deflate_new(&one), 0);
    assert_int_equal(imap_deflate_new(&other), 0);
    for (int i = 0; i < 5000; i++) {
        char text[64];
        int len = snprintf(text, sizeof(text), "a%d UID FETCH 1:%d (FLAGS)\r\n", i, i * 7);
        say(one, other, span_of(text, (size_t)len), 65536);
        if (i % 3 == 0)
            imap_deflate_rest(other);
        if (i % 5 == 0)
            imap_deflate_rest(one);
    }
}

static void nothing_waits_nothing_is_flushed(void **state)
{
    (void)state;
    AUTO(imap_deflate) struct imap_deflate *one = NULL;
    struct buf wire AUTO_BUF;
    buf_init(&wire, 1000);
    assert_int_equal(imap_deflate_new(&one), 0);
    assert_int_equal(imap_deflate_flush(one, &wire), 0);
    assert_int_equal(buf_len(&wire), 0);
}

static void what_is_no_stream_is_refused(void **state)
{
    (void)state;
    static const span_t bad[] = {
        {(const uint8_t *)"\xff\xff\xff\xff", 4}, /* no such kind of block */
        {(const uint8_t *)"\x03\x00x", 3},        /* the last block, and empty: the end */
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(imap_deflate) struct imap_deflate *one = NULL;
        struct buf plain AUTO_BUF;
        size_t used = 0;
        buf_init(&plain, 1000);
        assert_int_equal(imap_deflate_new(&one), 0);
        int result = imap_deflate_unpack(one, bad[i], 1000, &plain, &used);
        if (result == 0)
            result = imap_deflate_unpack(one, span_from(bad[i], used), 1000, &plain, &used);
        assert_int_equal(result, -EPROTO);
    }
}

/* What comes behind a flush or the end is left where it is, however the bytes are cut, and the sizes fall. */
static void expect_stop(bool is_finished, size_t len, size_t cut)
{
    AUTO(imap_deflate) struct imap_deflate *one = NULL;
    AUTO(imap_deflate) struct imap_deflate *other = NULL;
    struct buf wire AUTO_BUF;
    struct buf plain AUTO_BUF;
    static uint8_t text[300];
    buf_init(&wire, 1000);
    buf_init(&plain, 1000);
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t)(i * i);
    assert_int_equal(imap_deflate_new(&one), 0);
    assert_int_equal(imap_deflate_new(&other), 0);
    assert_int_equal(imap_deflate_pack(one, span_of(text, len), &wire), 0);
    assert_int_equal(is_finished ? imap_deflate_finish(one, &wire) : imap_deflate_flush(one, &wire), 0);
    size_t packed = buf_len(&wire);
    buf_append_text(&wire, "b NOOP\r\n");
    size_t at = 0;
    while (!imap_deflate_is_flushed(other)) {
        size_t used = 0;
        assert_true(at < packed);
        span_t piece = span_upto(span_from(buf_span(&wire), at), cut);
        assert_int_equal(imap_deflate_unpack(other, piece, 1000, &plain, &used), 0);
        at += used;
    }
    assert_int_equal(at, packed);
    assert_true(span_equal(buf_span(&plain), span_of(text, len)));
    assert_int_equal(imap_deflate_has_more(other), is_finished);
}

static void it_stops_where_the_other_side_flushed_or_ended(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 300; len++) {
        expect_stop(false, len, 1000);
        expect_stop(false, len, 1);
        expect_stop(true, len, 1000);
        expect_stop(true, len, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_out_in_bounded_pieces),
        cmocka_unit_test(it_goes_on_after_a_rest),
        cmocka_unit_test(nothing_waits_nothing_is_flushed),
        cmocka_unit_test(what_is_no_stream_is_refused),
        cmocka_unit_test(it_stops_where_the_other_side_flushed_or_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
