#include "base/test.h"

#include "tool/transfer/mbox.h"

#include <errno.h>

static void a_from_line_has_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool is_from;
        int64_t seconds;
    } rows[] = {
        {"From ann@example.org Sat Jan  3 01:05:34 1996", true, 820631134},
        {"From MAILER-DAEMON Sat Jan  3 01:05:34 1996 +0100", true, 820627534},
        {"From  Sat Jan  3 01:05 +0100 1996", true, 820627500},
        {"From a b c Sat Jan 3 01:05:34 1996", true, 820631134},
        {"From here on it went well", false, 0},
        {"From Jan to May", false, 0},
        {">From ann@example.org Sat Jan  3 01:05:34 1996", false, 0},
        {"From x Sat Jan 32 01:05:34 1996", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t seconds = 0;
        assert_int_equal(mbox_is_from(span_of_text(rows[i].line), &seconds), rows[i].is_from);
        assert_int_equal(seconds, rows[i].seconds);
    }
}

#define FROM "From x Sat Jan  3 01:05:34 1996"

static void messages_are_split_before_from_lines_behind_empty_ones(void **state)
{
    (void)state;
    static const span_t file = {
        (const uint8_t *)FROM "\nA: 1\n\n" FROM "\nnot one\nFrom me\n\n" FROM "\nB: 2\n\nbody\n" FROM "\n",
        sizeof(FROM "\nA: 1\n\n" FROM "\nnot one\nFrom me\n\n" FROM "\nB: 2\n\nbody\n" FROM "\n") - 1};
    struct mbox_place place;
    assert_int_equal(mbox_find(file, 0, &place), 0);
    assert_true(span_equal(span_slice(file, place.start, place.end - place.start), SPAN("A: 1\n")));
    assert_int_equal(mbox_find(file, place.next, &place), 0);
    assert_true(span_equal(span_slice(file, place.start, place.end - place.start), SPAN("not one\nFrom me\n")));
    assert_int_equal(mbox_find(file, place.next, &place), 0);
    assert_true(span_equal(span_slice(file, place.start, place.end - place.start), SPAN("B: 2\n\nbody\n" FROM "\n")));
    assert_int_equal(place.next, file.len);
    assert_int_equal(mbox_find(SPAN("Subject: x\n"), 0, &place), -EINVAL);
}

static void read_back(const char *text, const char *message, const char *flags)
{
    AUTO_BUF struct buf read;
    AUTO_BUF struct buf found;
    buf_init(&read, 1000);
    buf_init(&found, 1000);
    assert_int_equal(mbox_read(span_of_text(text), &read, &found), 0);
    assert_true(span_equal(buf_span(&read), span_of_text(message)));
    assert_true(span_equal(buf_span(&found), span_of_text(flags)));
}

static void flags_are_taken_out_of_the_header(void **state)
{
    (void)state;
    read_back("A: 1\nStatus: RO\nX-Status: AF\nX-Keywords: one two\n  \nB: 2\n\nStatus: R\n>From x\n>>From y\n",
              "A: 1\nB: 2\n\nStatus: R\nFrom x\n>From y\n", "\\Seen \\Answered \\Flagged one two");
    read_back("Status: O\nX-Status: T\nX-Keywords:\nStatus: R\nA: 1\n\n", "Status: R\nA: 1\n\n", "\\Draft");
    read_back("\nStatus: R\n", "\nStatus: R\n", "");
    read_back("A: 1\r\nStatus: R\r\n\r\n>From x\r\n", "A: 1\r\n\r\nFrom x\r\n", "\\Seen");
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"A: 1\n\nbody\n", "Status: R\n\n\n", "From x\n>From y\n>>From z\n\n\n\n", "\n",
                                        " folded at once\n\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_BUF struct buf file;
        struct mbox_place place;
        buf_init(&file, 1000);
        assert_int_equal(mbox_write(span_of_text(texts[i]), SPAN("\\Deleted a $b"), 820631134, &file), 0);
        assert_int_equal(mbox_write(span_of_text(texts[i]), SPAN(""), 0, &file), 0);
        assert_int_equal(mbox_find(buf_span(&file), 0, &place), 0);
        assert_int_equal(place.seconds, 820631134);
        AUTO_BUF struct buf message;
        AUTO_BUF struct buf flags;
        buf_init(&message, 1000);
        buf_init(&flags, 1000);
        assert_int_equal(mbox_read(span_slice(buf_span(&file), place.start, place.end - place.start), &message, &flags),
                         0);
        assert_true(span_equal(buf_span(&message), span_of_text(texts[i])));
        assert_true(span_equal(buf_span(&flags), SPAN("\\Deleted a $b")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_from_line_has_a_date),
        cmocka_unit_test(messages_are_split_before_from_lines_behind_empty_ones),
        cmocka_unit_test(flags_are_taken_out_of_the_header),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
