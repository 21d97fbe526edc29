#include "base/test.h"

#include <string.h>

#include "base/bytes.h"
#include "role/store/crc.h"
#include "role/store/segment.h"

static const uint8_t key[AEAD_KEY_SIZE] = {7};

static void checksum_is_that_of_the_standard(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, SPAN("123456789")), 0xE3069283U);
    uint8_t zeros[32] = {0};
    assert_int_equal(crc32c(0, span_of(zeros, sizeof(zeros))), 0x8A9136AAU); /* RFC 3720 §B.4 */
    assert_int_equal(crc32c(crc32c(0, SPAN("12345")), SPAN("6789")), 0xE3069283U);
}

static void segment_head_is_read_as_written_and_no_byte_may_change(void **state)
{
    (void)state;
    uint8_t block[SEGMENT_BLOCK];
    struct segment_head head = {.number = 9, .salt = {1, 2, 3}};
    segment_head_write(&head, block);
    struct segment_head read;
    assert_int_equal(segment_head_read(span_of(block, sizeof(block)), 9, &read), 0);
    assert_memory_equal(read.salt, head.salt, SEGMENT_SALT_SIZE);
    assert_int_equal(read.checksum, head.checksum);
    assert_int_equal(segment_head_read(span_of(block, sizeof(block)), 8, &read), SEGMENT_INVALID);
    assert_int_equal(segment_head_read(span_of(block, sizeof(block) - 1), 9, &read), SEGMENT_INVALID);
    for (size_t at = 0; at < sizeof(block); at++) {
        block[at] ^= 0x10;
        assert_int_equal(segment_head_read(span_of(block, sizeof(block)), 9, &read), SEGMENT_INVALID);
        block[at] ^= 0x10;
    }
}

static size_t head_make(struct aead *aead, uint8_t *into, struct record_head *ret_head)
{
    uint8_t rows[2 * RECORD_ROW];
    for (size_t at = 0; at < sizeof(rows); at++)
        rows[at] = (uint8_t)at;
    *ret_head = (struct record_head){.recipients = 2, .before = 5, .body_length = 4096, .record = 77, .arrival = 99};
    assert_int_equal(record_head_write(ret_head, rows, aead, into), 0);
    return record_head_len(2);
}

static void record_head_is_read_as_written(void **state)
{
    (void)state;
    AUTO(aead) struct aead *aead = NULL;
    assert_int_equal(aead_new(key, &aead), 0);
    uint8_t bytes[512];
    struct record_head head;
    span_t whole = span_of(bytes, head_make(aead, bytes, &head));
    struct record_head read;
    uint8_t rows[2 * RECORD_ROW];
    assert_int_equal(record_head_read(whole, &read), 0);
    assert_int_equal(record_head_open(&read, whole, aead, rows), 0);
    assert_int_equal(read.record, 77);
    assert_int_equal(read.before, 5);
    assert_int_equal(read.arrival, 99);
    struct record_row row;
    record_row_read(rows, 1, &row);
    assert_int_equal(row.account, bytes_get_u64(rows + RECORD_ROW));
    assert_int_equal(row.key[0], (uint8_t)(RECORD_ROW + 16));
    /* the rows do not stand on the disk as they are */
    assert_int_equal(span_find(whole, span_of(rows, 16)), whole.len);
}

static void every_changed_byte_of_a_record_head_is_noticed_but_its_marks(void **state)
{
    (void)state;
    AUTO(aead) struct aead *aead = NULL;
    assert_int_equal(aead_new(key, &aead), 0);
    uint8_t bytes[512];
    struct record_head head;
    span_t whole = span_of(bytes, head_make(aead, bytes, &head));
    uint8_t rows[2 * RECORD_ROW];
    for (size_t at = 0; at < whole.len; at++) {
        bytes[at] ^= 1;
        struct record_head read;
        int result = record_head_read(whole, &read);
        if (result == 0 && read.recipients == 2)
            result = record_head_open(&read, whole, aead, rows);
        else
            result = SEGMENT_INVALID;
        assert_int_equal(result, at < record_marks_at(2) ? SEGMENT_INVALID : 0);
        bytes[at] ^= 1;
    }
}

static void ids_are_places_and_rise(void **state)
{
    (void)state;
    uint64_t id = record_id(3, 4096 + 64);
    assert_int_equal(record_segment(id), 3);
    assert_int_equal(record_offset(id), 4096 + 64);
    assert_true(record_id(4, SEGMENT_BLOCK) > record_id(3, UINT64_C(64) * UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_is_that_of_the_standard),
        cmocka_unit_test(segment_head_is_read_as_written_and_no_byte_may_change),
        cmocka_unit_test(record_head_is_read_as_written),
        cmocka_unit_test(every_changed_byte_of_a_record_head_is_noticed_but_its_marks),
        cmocka_unit_test(ids_are_places_and_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
