#include "base/test.h"

#include "ipc/transfer.h"

#include <errno.h>
#include <string.h>

static struct transfer through(const struct transfer *transfer, struct buf *wire)
{
    struct frame frame;
    struct transfer read = {.size = 0};
    size_t used = 0;
    assert_int_equal(transfer_write(wire, FRAME_INPUT, transfer), 0);
    assert_int_equal(frame_read(buf_span(wire), &frame, &used), FRAME_READ);
    assert_int_equal(used, buf_len(wire));
    assert_int_equal(transfer_read(&frame, &read), 0);
    return read;
}

static void a_head_arrives_as_it_was_sent(void **state)
{
    (void)state;
    AUTO_BUF struct buf wire;
    buf_init(&wire, 4096);
    uint8_t origin[TRANSFER_ORIGIN_SIZE];
    memset(origin, 7, sizeof(origin));
    struct transfer sent = {.kind = TRANSFER_HEAD,
                            .size = 12,
                            .id = UINT64_C(5) << 32 | 9,
                            .received = -1000000,
                            .mailbox = SPAN("INBOX/Übung"),
                            .flags = SPAN("\\Seen work"),
                            .origin = span_of(origin, sizeof(origin))};
    struct transfer read = through(&sent, &wire);
    assert_int_equal(read.kind, TRANSFER_HEAD);
    assert_int_equal(read.size, 12);
    assert_true(read.id == sent.id && read.received == sent.received);
    assert_true(span_equal(read.mailbox, sent.mailbox) && span_equal(read.flags, sent.flags));
    assert_true(span_equal(read.origin, sent.origin));
}

static void bytes_and_bare_kinds_arrive(void **state)
{
    (void)state;
    AUTO_BUF struct buf wire;
    buf_init(&wire, 4096);
    struct transfer data = {.kind = TRANSFER_DATA, .bytes = SPAN("a\0b")};
    assert_true(span_equal(through(&data, &wire).bytes, SPAN("a\0b")));
    buf_clear(&wire);
    struct transfer end = {.kind = TRANSFER_END};
    assert_int_equal(through(&end, &wire).kind, TRANSFER_END);
}

static void what_is_cut_or_too_long_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf wire;
    buf_init(&wire, 4096);
    struct transfer sent = {.kind = TRANSFER_HEAD, .mailbox = SPAN("INBOX"), .flags = SPAN("\\Seen")};
    struct transfer read;
    struct frame frame;
    size_t used = 0;
    assert_int_equal(transfer_write(&wire, FRAME_OUTPUT, &sent), 0);
    assert_int_equal(frame_read(buf_span(&wire), &frame, &used), FRAME_READ);
    for (size_t len = 0; len < frame.bytes.len; len++) {
        struct frame cut = {.kind = frame.kind, .bytes = span_upto(frame.bytes, len)};
        assert_int_equal(transfer_read(&cut, &read), -EBADMSG);
    }
    static const span_t bad[] = {{(const uint8_t *)"\0", 1}, {(const uint8_t *)"\12", 1}, {(const uint8_t *)"\6x", 2}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct frame other = {.kind = FRAME_INPUT, .bytes = bad[i]};
        assert_int_equal(transfer_read(&other, &read), -EBADMSG);
    }
    static uint8_t much[FRAME_MAX];
    struct transfer data = {.kind = TRANSFER_DATA, .bytes = span_of(much, sizeof(much))};
    AUTO_BUF struct buf large;
    buf_init(&large, 2 * FRAME_MAX);
    assert_int_equal(transfer_write(&large, FRAME_INPUT, &data), -EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_arrives_as_it_was_sent),
        cmocka_unit_test(bytes_and_bare_kinds_arrive),
        cmocka_unit_test(what_is_cut_or_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
