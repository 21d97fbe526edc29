#include "base/test.h"

#include "ipc/envelope.h"

#include <errno.h>

static void write_rows(struct buf *rows)
{
    const struct envelope_recipient one = {.notify = 6, .address = SPAN("bob@example.org"), .orcpt = SPAN("rfc822;b")};
    const struct envelope_recipient two = {.notify = ENVELOPE_LOCAL, .address = SPAN("carol@example.net")};
    buf_init(rows, 4096);
    assert_int_equal(envelope_recipient_write(&one, rows), 0);
    assert_int_equal(envelope_recipient_write(&two, rows), 0);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf rows;
    AUTO_BUF struct buf bytes;
    write_rows(&rows);
    buf_init(&bytes, 4096);
    struct envelope envelope = {.flags = ENVELOPE_UTF8 | ENVELOPE_8BIT,
                                .account = 7,
                                .hold_until = 1800000000,
                                .sender = SPAN("alice@demo.test"),
                                .envid = SPAN("QQ314159"),
                                .rows = buf_span(&rows)};
    assert_int_equal(envelope_write(&envelope, &bytes), 0);
    size_t len = buf_len(&bytes);
    assert_int_equal(buf_append(&bytes, SPAN("Subject: the message\r\n")), 0);
    struct envelope read;
    struct envelope_recipient recipient;
    assert_int_equal(envelope_len(buf_span(&bytes)), len);
    assert_int_equal(envelope_read(buf_span(&bytes), &read), 0);
    assert_int_equal(read.flags, envelope.flags);
    assert_int_equal(read.account, 7);
    assert_int_equal(read.hold_until, 1800000000);
    assert_true(span_equal(read.sender, envelope.sender));
    assert_true(span_equal(read.envid, envelope.envid));
    assert_true(envelope_recipient_next(&read.rows, &recipient));
    assert_int_equal(recipient.notify, 6);
    assert_true(span_equal(recipient.address, SPAN("bob@example.org")));
    assert_true(span_equal(recipient.orcpt, SPAN("rfc822;b")));
    assert_true(envelope_recipient_next(&read.rows, &recipient));
    assert_int_equal(recipient.notify, ENVELOPE_LOCAL);
    assert_false(envelope_recipient_next(&read.rows, &recipient));
}

static void what_is_cut_short_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf rows;
    AUTO_BUF struct buf bytes;
    write_rows(&rows);
    buf_init(&bytes, 4096);
    struct envelope read;
    struct envelope envelope = {.sender = SPAN("alice@demo.test"), .rows = buf_span(&rows)};
    assert_int_equal(envelope_write(&envelope, &bytes), 0);
    for (size_t len = 0; len < buf_len(&bytes); len++)
        assert_int_equal(envelope_read(span_upto(buf_span(&bytes), len), &read), -EBADMSG);
    assert_false(envelope_rows_are_sound(SPAN_NONE));
    assert_false(envelope_rows_are_sound(span_upto(buf_span(&rows), buf_len(&rows) - 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_is_cut_short_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
