#include "base/test.h"

#include "role/courier/note.h"

#include <errno.h>
#include <string.h>

static void what_is_noted_is_read_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf bytes;
    struct note_recipient rows[2] = {{.status = NOTE_DONE}, {.status = NOTE_OPEN}};
    struct note_recipient read_rows[2];
    rows[1].response = (struct smtp_response){.code = 451, .class_ = 4, .subject = 7, .detail = 1, .text_len = 5};
    memcpy(rows[1].response.text, "later", 5);
    rows[1].host_len = 4;
    memcpy(rows[1].host, "mx.a", 4);
    const struct note note = {.record = 0x100000040,
                              .flags = NOTE_DELAYED,
                              .attempts = 3,
                              .next = 1800000000,
                              .count = 2,
                              .recipients = rows};
    struct note read = {.count = 2, .recipients = read_rows};
    size_t count = 0;
    buf_init(&bytes, 4096);
    assert_int_equal(note_write(&note, &bytes), 0);
    assert_int_equal(note_record(buf_span(&bytes), &count), note.record);
    assert_int_equal(count, 2);
    assert_int_equal(note_read(buf_span(&bytes), &read), 0);
    assert_int_equal(read.flags, NOTE_DELAYED);
    assert_int_equal(read.attempts, 3);
    assert_int_equal(read.next, 1800000000);
    assert_int_equal(read_rows[0].status, NOTE_DONE);
    assert_int_equal(read_rows[1].response.code, 451);
    assert_int_equal(read_rows[1].response.subject, 7);
    assert_true(span_equal(smtp_response_text(&read_rows[1].response), SPAN("later")));
    assert_memory_equal(read_rows[1].host, "mx.a", 4);
    for (size_t len = 0; len < buf_len(&bytes); len++)
        assert_int_equal(note_read(span_upto(buf_span(&bytes), len), &read), -EBADMSG);
    read.count = 1; /* of another message */
    assert_int_equal(note_read(buf_span(&bytes), &read), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_noted_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
