#include "base/test.h"

#include <errno.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/record.h"

#define BUF_MAX (8U << 20U)

static const struct record_meta meta = {
    .kind = RECORD_APPEND,
    .arrived = 1700000000123456,
    .mailbox = 42,
    .flags = {(const uint8_t *)"\\Seen $Label", 12},
    .return_path = {(const uint8_t *)"alice@example.org", 17},
};

static uint8_t *noise(size_t len)
{
    uint8_t *bytes = mem_new(len + 1);
    assert_non_null(bytes);
    for (size_t at = 0; at < len; at++)
        bytes[at] = (uint8_t)(at * 2654435761U >> 13U);
    return bytes;
}

static int file_of(span_t bytes, uint64_t offset)
{
    int fd = memfd_create("record", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes.at, bytes.len, (off_t)offset), (ssize_t)bytes.len);
    return fd;
}

static const size_t sizes[] = {0, 1, 4000, 4096, 65000, 65536 - 62, 65536, 65537, 131072, 200000, 3000000};

static void what_is_sealed_opens_at_every_size(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT_OF(sizes); row++) {
        AUTO_FREE uint8_t *bytes = noise(sizes[row]);
        AUTO_BUF struct buf sealed = {0};
        AUTO_BUF struct buf plain = {0};
        AUTO(secret) struct secret *key = NULL;
        struct record_meta opened;
        span_t message;
        buf_init(&sealed, BUF_MAX);
        buf_init(&plain, BUF_MAX);
        assert_int_equal(record_seal(&meta, span_of(bytes, sizes[row]), &sealed, &key), 0);
        assert_int_equal(buf_len(&sealed), record_sealed_len(&meta, sizes[row]));
        assert_int_equal(record_open(key, buf_span(&sealed), &plain, &opened, &message), RECORD_OK);
        assert_true(span_equal(message, span_of(bytes, sizes[row])));
        assert_int_equal(opened.kind, RECORD_APPEND);
        assert_int_equal(opened.arrived, meta.arrived);
        assert_int_equal(opened.mailbox, 42);
        assert_true(span_equal(opened.flags, meta.flags));
        assert_true(span_equal(opened.return_path, meta.return_path));
    }
}

static void parts_are_read_without_the_rest(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT_OF(sizes); row++) {
        size_t len = sizes[row];
        AUTO_FREE uint8_t *bytes = noise(len);
        AUTO_BUF struct buf sealed = {0};
        AUTO_BUF struct buf part = {0};
        AUTO(secret) struct secret *key = NULL;
        AUTO(record_reader) struct record_reader *reader = NULL;
        buf_init(&sealed, BUF_MAX);
        buf_init(&part, BUF_MAX);
        assert_int_equal(record_seal(&meta, span_of(bytes, len), &sealed, &key), 0);
        AUTO_FD int fd = file_of(buf_span(&sealed), 4096);
        assert_int_equal(record_reader_new(key, fd, 4096, buf_len(&sealed), &reader), RECORD_OK);
        assert_int_equal(record_reader_message_len(reader), len);
        assert_true(span_equal(record_reader_meta(reader)->flags, meta.flags));
        const size_t starts[] = {0, len / 3, len / 2, len > 10 ? len - 10 : 0, len, len + 5};
        for (size_t at = 0; at < COUNT_OF(starts); at++) {
            buf_clear(&part);
            assert_int_equal(record_reader_read(reader, starts[at], 70000, &part), RECORD_OK);
            assert_true(span_equal(buf_span(&part), span_slice(span_of(bytes, len), starts[at], 70000)));
        }
    }
}

static void every_flipped_byte_is_detected(void **state)
{
    (void)state;
    AUTO_FREE uint8_t *bytes = noise(70000);
    AUTO_BUF struct buf sealed = {0};
    AUTO(secret) struct secret *key = NULL;
    buf_init(&sealed, BUF_MAX);
    assert_int_equal(record_seal(&meta, span_of(bytes, 70000), &sealed, &key), 0);
    for (size_t at = 0; at < buf_len(&sealed); at += at < 200 ? 1 : 37) {
        AUTO_BUF struct buf plain = {0};
        struct record_meta opened;
        span_t message;
        buf_init(&plain, BUF_MAX);
        sealed.bytes[at] ^= 0x10;
        assert_int_equal(record_open(key, buf_span(&sealed), &plain, &opened, &message),
                         at == 0 ? RECORD_UNKNOWN_VERSION : RECORD_FORGED);
        assert_int_equal(buf_len(&plain), 0);
        sealed.bytes[at] ^= 0x10;
    }
}

static void every_byte_of_a_small_record_is_bound(void **state)
{
    (void)state;
    AUTO_BUF struct buf sealed = {0};
    AUTO(secret) struct secret *key = NULL;
    buf_init(&sealed, BUF_MAX);
    assert_int_equal(record_seal(&meta, SPAN("Subject: x\r\n\r\ny\r\n"), &sealed, &key), 0);
    assert_int_equal(buf_len(&sealed), 1 + 4096 + 16);
    AUTO_FD int fd = file_of(buf_span(&sealed), 0);
    for (size_t at = 0; at < buf_len(&sealed); at++) {
        AUTO(record_reader) struct record_reader *reader = NULL;
        uint8_t flipped = sealed.bytes[at] ^ 1U;
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        assert_int_equal(record_reader_new(key, fd, 0, buf_len(&sealed), &reader),
                         at == 0 ? RECORD_UNKNOWN_VERSION : RECORD_FORGED);
        assert_int_equal(pwrite(fd, sealed.bytes + at, 1, (off_t)at), 1);
    }
}

static void a_record_cut_short_or_drawn_out_is_detected(void **state)
{
    (void)state;
    AUTO_FREE uint8_t *bytes = noise(200000);
    AUTO_BUF struct buf sealed = {0};
    AUTO(secret) struct secret *key = NULL;
    buf_init(&sealed, BUF_MAX);
    assert_int_equal(record_seal(&meta, span_of(bytes, 200000), &sealed, &key), 0);
    AUTO_FD int fd = file_of(buf_span(&sealed), 0);
    size_t full = buf_len(&sealed);
    assert_int_equal(ftruncate(fd, (off_t)full + 70000), 0);
    for (size_t len = 0; len < full + 66000; len += len < 300 || (len > full - 40 && len < full + 40) ? 1 : 4999) {
        AUTO_BUF struct buf plain = {0};
        AUTO(record_reader) struct record_reader *reader = NULL;
        struct record_meta opened;
        span_t message;
        buf_init(&plain, BUF_MAX);
        if (len == full)
            continue;
        if (len < full)
            assert_int_equal(record_open(key, span_of(sealed.bytes, len), &plain, &opened, &message), RECORD_FORGED);
        assert_int_equal(record_reader_new(key, fd, 0, len, &reader), RECORD_FORGED);
    }
}

static void chunks_cannot_change_places_or_records(void **state)
{
    (void)state;
    size_t step = RECORD_CHUNK + 16;
    AUTO_FREE uint8_t *bytes = noise(300000);
    AUTO_FREE uint8_t *moved = mem_new(step);
    AUTO_BUF struct buf one = {0};
    AUTO_BUF struct buf other = {0};
    AUTO_BUF struct buf plain = {0};
    AUTO(secret) struct secret *key = NULL;
    AUTO(secret) struct secret *other_key = NULL;
    struct record_meta opened;
    span_t message;
    buf_init(&one, BUF_MAX);
    buf_init(&other, BUF_MAX);
    buf_init(&plain, BUF_MAX);
    assert_int_equal(record_seal(&meta, span_of(bytes, 300000), &one, &key), 0);
    assert_int_equal(record_seal(&meta, span_of(bytes, 300000), &other, &other_key), 0);
    assert_int_equal(record_open(other_key, buf_span(&one), &plain, &opened, &message), RECORD_FORGED);
    memcpy(moved, one.bytes + 1, step);
    memmove(one.bytes + 1, one.bytes + 1 + step, step);
    memcpy(one.bytes + 1 + step, moved, step);
    assert_int_equal(record_open(key, buf_span(&one), &plain, &opened, &message), RECORD_FORGED);
    memcpy(one.bytes + 1, moved, step);
    memcpy(one.bytes + 1 + step, other.bytes + 1 + step, step);
    assert_int_equal(record_open(key, buf_span(&one), &plain, &opened, &message), RECORD_FORGED);
}

static void sizes_fall_into_few_classes(void **state)
{
    (void)state;
    uint64_t last = 0;
    unsigned classes = 0;
    for (uint64_t len = 0; len < 1U << 20U; len += 16) {
        uint64_t sealed = record_sealed_len(&meta, len);
        assert_true(sealed >= len && sealed >= last);
        assert_true(len < 4096 || sealed < len + len / 8 + 100);
        classes += sealed != last;
        last = sealed;
    }
    assert_true(classes < 200);
}

static void oversized_metadata_is_refused(void **state)
{
    (void)state;
    AUTO_FREE uint8_t *bytes = noise(5000);
    AUTO_BUF struct buf sealed = {0};
    AUTO(secret) struct secret *key = NULL;
    buf_init(&sealed, BUF_MAX);
    struct record_meta large = meta;
    large.flags = span_of(bytes, RECORD_FLAGS_MAX + 1);
    assert_true(record_seal(&large, SPAN("x"), &sealed, &key) < 0);
    large = meta;
    large.return_path = span_of(bytes, RECORD_PATH_MAX + 1);
    assert_true(record_seal(&large, SPAN("x"), &sealed, &key) < 0);
    buf_init(&sealed, 4000);
    assert_int_equal(record_seal(&meta, SPAN("x"), &sealed, &key), -ENOBUFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_at_every_size),
        cmocka_unit_test(parts_are_read_without_the_rest),
        cmocka_unit_test(every_flipped_byte_is_detected),
        cmocka_unit_test(every_byte_of_a_small_record_is_bound),
        cmocka_unit_test(a_record_cut_short_or_drawn_out_is_detected),
        cmocka_unit_test(chunks_cannot_change_places_or_records),
        cmocka_unit_test(sizes_fall_into_few_classes),
        cmocka_unit_test(oversized_metadata_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
