#include "base/test.h"

#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "trust/unpack/unpack.h"

#define ROOM ((size_t)4 << 20)
#define MAX ((size_t)1 << 20)

static struct buf text;    /* what is packed */
static struct buf archive; /* what it is packed in */
static struct buf plain;

static int set_up(void **state)
{
    (void)state;
    buf_init(&text, ROOM);
    buf_init(&archive, ROOM);
    buf_init(&plain, MAX + 1);
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(buf_append_format(&text, "<row>%u</row>\n", i * 7919U), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&text);
    buf_deinit(&archive);
    buf_deinit(&plain);
    return 0;
}

enum packing { GZIP = MAX_WBITS + 16, BARE = -MAX_WBITS };

static size_t add_deflated(enum packing packing, span_t bytes)
{
    z_stream stream = {0};
    uint8_t *at = NULL;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, (int)packing, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&stream, bytes.len);
    assert_int_equal(buf_reserve(&archive, room, &at), 0);
    stream.next_in = (Bytef *)(uintptr_t)bytes.at;
    stream.avail_in = (uInt)bytes.len;
    stream.next_out = at;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t len = stream.total_out;
    buf_commit(&archive, len);
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return len;
}

static void add_zeros(struct buf *buf, size_t len)
{
    uint8_t *at = NULL;
    assert_int_equal(buf_reserve(buf, len, &at), 0);
    memset(at, 0, len);
    buf_commit(buf, len);
}

static int unpack_archive(void)
{
    buf_clear(&plain);
    return unpack(buf_span(&archive), MAX, &plain);
}

static void assert_is_text(unsigned times)
{
    span_t made = buf_span(&plain);
    assert_int_equal(made.len, times * buf_len(&text));
    for (unsigned i = 0; i < times; i++)
        assert_memory_equal(made.at + i * buf_len(&text), buf_span(&text).at, buf_len(&text));
}

/* --- gzip --- */

static void gzip_is_unpacked(void **state)
{
    (void)state;
    add_deflated(GZIP, buf_span(&text));
    assert_int_equal(unpack_archive(), UNPACK_OK);
    assert_is_text(1);
}

static void gzip_of_several_members_is_joined_and_padding_passed_over(void **state)
{
    (void)state;
    add_deflated(GZIP, buf_span(&text));
    add_deflated(GZIP, buf_span(&text));
    add_zeros(&archive, 100);
    assert_int_equal(unpack_archive(), UNPACK_OK);
    assert_is_text(2);
}

static void gzip_of_too_many_members_is_left_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < UNPACK_MEMBERS_MAX; i++)
        add_deflated(GZIP, SPAN("x"));
    assert_int_equal(unpack_archive(), UNPACK_OK);
    add_deflated(GZIP, SPAN("x"));
    assert_int_equal(unpack_archive(), UNPACK_UNSUPPORTED);
    assert_int_equal(buf_len(&plain), 0);
}

static void what_is_cut_off_anywhere_is_malformed(void **state)
{
    (void)state;
    add_deflated(GZIP, buf_span(&text));
    for (size_t len = 2; len < buf_len(&archive); len += 13) {
        buf_clear(&plain);
        assert_int_equal(unpack(span_upto(buf_span(&archive), len), MAX, &plain), UNPACK_MALFORMED);
        assert_int_equal(buf_len(&plain), 0);
    }
}

static void gzip_with_a_wrong_checksum_or_length_is_malformed(void **state)
{
    (void)state;
    size_t len = add_deflated(GZIP, buf_span(&text));
    for (size_t back = 1; back <= 8; back++) {
        archive.bytes[len - back] ^= 1;
        assert_int_equal(unpack_archive(), UNPACK_MALFORMED);
        archive.bytes[len - back] ^= 1;
    }
    assert_int_equal(unpack_archive(), UNPACK_OK);
}

/* --- bombs --- */

static void what_is_longer_than_allowed_is_too_large_even_by_a_byte(void **state)
{
    (void)state;
    add_deflated(GZIP, buf_span(&text));
    assert_int_equal(unpack(buf_span(&archive), buf_len(&text), &plain), UNPACK_OK);
    buf_clear(&plain);
    assert_int_equal(unpack(buf_span(&archive), buf_len(&text) - 1, &plain), UNPACK_TOO_LARGE);
    assert_int_equal(buf_len(&plain), 0);
}

static void members_together_are_held_to_the_limit(void **state)
{
    (void)state;
    add_deflated(GZIP, buf_span(&text));
    add_deflated(GZIP, buf_span(&text));
    assert_int_equal(unpack(buf_span(&archive), 2 * buf_len(&text) - 1, &plain), UNPACK_TOO_LARGE);
}

static void a_bomb_is_known_by_its_ratio_before_it_is_long(void **state)
{
    (void)state;
    AUTO_BUF struct buf zeros = {0};
    buf_init(&zeros, ROOM);
    add_zeros(&zeros, UNPACK_RATIO_FREE + UNPACK_RATIO_FREE);
    add_deflated(GZIP, buf_span(&zeros));
    assert_int_equal(unpack_archive(), UNPACK_TOO_LARGE);
    assert_true(plain.room < MAX);
    buf_clear(&archive);
    buf_truncate(&zeros, UNPACK_RATIO_FREE / 2);
    add_deflated(GZIP, buf_span(&zeros));
    assert_int_equal(unpack_archive(), UNPACK_OK);
}

/* --- zip --- */

/* What a directory may say, right unless a test says otherwise. */
struct entry {
    uint16_t flags;
    uint16_t method;
    uint16_t local_method;
    uint16_t files;
    uint32_t checksum;
    uint32_t packed_len;
    uint32_t plain_len;
    uint32_t local_at;
    const char *comment;
};

static void add_number(uint32_t value, size_t size)
{
    uint8_t bytes[4];
    bytes_put_u32(bytes, value);
    assert_int_equal(buf_append(&archive, span_of(bytes, size)), 0);
}

static const char name[] = "example.net!example.org!1795219200!1795305599.xml";

static void add_local(const struct entry *entry)
{
    assert_int_equal(buf_append(&archive, SPAN("PK\x03\x04\x14\x00")), 0);
    add_number(entry->flags, 2);
    add_number(entry->local_method, 2);
    add_zeros(&archive, 16); /* time, and what a writer may leave open */
    add_number(sizeof(name) - 1, 2);
    add_number(4, 2);
    assert_int_equal(buf_append_text(&archive, name), 0);
    assert_int_equal(buf_append(&archive, SPAN("ext!")), 0);
}

static void add_directory(const struct entry *entry)
{
    uint32_t at = (uint32_t)buf_len(&archive);
    assert_int_equal(buf_append(&archive, SPAN("PK\x01\x02\x14\x00\x14\x00")), 0);
    add_number(entry->flags, 2);
    add_number(entry->method, 2);
    add_zeros(&archive, 4);
    add_number(entry->checksum, 4);
    add_number(entry->packed_len, 4);
    add_number(entry->plain_len, 4);
    add_number(sizeof(name) - 1, 2);
    add_zeros(&archive, 12);
    add_number(entry->local_at, 4);
    assert_int_equal(buf_append_text(&archive, name), 0);
    uint32_t len = (uint32_t)buf_len(&archive) - at;
    assert_int_equal(buf_append(&archive, SPAN("PK\x05\x06\x00\x00\x00\x00")), 0);
    add_number(entry->files, 2);
    add_number(entry->files, 2);
    add_number(len, 4);
    add_number(at, 4);
    add_number((uint32_t)strlen(entry->comment), 2);
    assert_int_equal(buf_append_text(&archive, entry->comment), 0);
}

static void add_zip(uint16_t method, void (*change)(struct entry *entry))
{
    span_t bytes = buf_span(&text);
    struct entry entry = {.method = method,
                          .local_method = method,
                          .files = 1,
                          .plain_len = (uint32_t)bytes.len,
                          .checksum = (uint32_t)crc32(0, bytes.at, (uInt)bytes.len),
                          .comment = ""};
    buf_clear(&archive);
    if (change != NULL) /* what stands in the local header as well */
        change(&entry);
    add_local(&entry);
    if (method == 0) {
        assert_int_equal(buf_append(&archive, bytes), 0);
        entry.packed_len = (uint32_t)bytes.len;
    } else {
        entry.packed_len = (uint32_t)add_deflated(BARE, bytes);
    }
    if (change != NULL)
        change(&entry);
    add_directory(&entry);
}

static void set_comment(struct entry *entry)
{
    entry->comment = "a report; PK\x05\x06 means nothing here, at whatever length it may stand";
}

static void zip_is_unpacked_deflated_and_stored(void **state)
{
    (void)state;
    add_zip(8, NULL);
    assert_int_equal(unpack_archive(), UNPACK_OK);
    assert_is_text(1);
    add_zip(0, set_comment);
    assert_int_equal(unpack_archive(), UNPACK_OK);
    assert_is_text(1);
}

static void set_encrypted(struct entry *entry)
{
    entry->flags = 1;
}
static void set_deflate64(struct entry *entry)
{
    entry->method = entry->local_method = 9;
}
static void set_two_files(struct entry *entry)
{
    entry->files = 2;
}
static void set_zip64_count(struct entry *entry)
{
    entry->files = 0xffff;
}
static void set_zip64_len(struct entry *entry)
{
    entry->plain_len = 0xffffffff;
}
static void set_no_files(struct entry *entry)
{
    entry->files = 0;
}
static void set_checksum(struct entry *entry)
{
    entry->checksum = 0x12345678;
}
static void set_long(struct entry *entry)
{
    entry->plain_len++;
}
static void set_short(struct entry *entry)
{
    entry->plain_len--;
}
static void set_packed_short(struct entry *entry)
{
    entry->packed_len -= entry->packed_len > 0 ? 1 : 0;
}
static void set_packed_long(struct entry *entry)
{
    entry->packed_len++;
}
static void set_place(struct entry *entry)
{
    entry->local_at = 5;
}
static void set_far(struct entry *entry)
{
    entry->local_at = 0xfffffff0;
}
static void set_other_method(struct entry *entry)
{
    entry->local_method = entry->method == 8 ? 0 : 8;
}
static void set_huge(struct entry *entry)
{
    entry->plain_len = MAX + 1;
}

static void a_zip_that_is_not_as_it_must_be_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct entry *entry);
        int outcome;
    } rows[] = {
        {set_encrypted, UNPACK_UNSUPPORTED}, {set_deflate64, UNPACK_UNSUPPORTED},
        {set_two_files, UNPACK_UNSUPPORTED}, {set_zip64_count, UNPACK_UNSUPPORTED},
        {set_zip64_len, UNPACK_UNSUPPORTED}, {set_no_files, UNPACK_MALFORMED},
        {set_checksum, UNPACK_MALFORMED},    {set_long, UNPACK_MALFORMED},
        {set_short, UNPACK_MALFORMED},       {set_packed_short, UNPACK_MALFORMED},
        {set_packed_long, UNPACK_MALFORMED}, {set_place, UNPACK_MALFORMED},
        {set_far, UNPACK_MALFORMED},         {set_other_method, UNPACK_MALFORMED},
        {set_huge, UNPACK_TOO_LARGE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (unsigned packed = 0; packed < 2; packed++) {
            add_zip(packed != 0 ? 8 : 0, rows[i].change);
            assert_int_equal(unpack_archive(), rows[i].outcome);
            assert_int_equal(buf_len(&plain), 0);
        }
    }
}

static void a_zip_that_is_cut_off_anywhere_is_malformed(void **state)
{
    (void)state;
    add_zip(8, NULL);
    for (size_t len = 4; len < buf_len(&archive); len += 7) {
        buf_clear(&plain);
        assert_int_equal(unpack(span_upto(buf_span(&archive), len), MAX, &plain), UNPACK_MALFORMED);
    }
}

static void what_is_neither_is_no_archive(void **state)
{
    (void)state;
    assert_int_equal(unpack(SPAN("<?xml version=\"1.0\"?>"), MAX, &plain), UNPACK_NO_ARCHIVE);
    assert_int_equal(unpack(SPAN_NONE, MAX, &plain), UNPACK_NO_ARCHIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gzip_is_unpacked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gzip_of_several_members_is_joined_and_padding_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gzip_of_too_many_members_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_cut_off_anywhere_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gzip_with_a_wrong_checksum_or_length_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_longer_than_allowed_is_too_large_even_by_a_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_together_are_held_to_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bomb_is_known_by_its_ratio_before_it_is_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zip_is_unpacked_deflated_and_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_zip_that_is_not_as_it_must_be_is_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_zip_that_is_cut_off_anywhere_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_neither_is_no_archive, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
