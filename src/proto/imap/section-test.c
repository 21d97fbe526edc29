#include "base/test.h"

#include "proto/imap/section.h"

/* A multipart of a text and a message, which again is a multipart of two texts. */
static const char message_text[] = "Subject: out\r\nFrom: a@b\r\nX-A: 1\r\n 2\r\n"
                                   "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                                   "--b\r\nContent-ID: <one>\r\n\r\none\r\n"
                                   "--b\r\nContent-Type: message/rfc822\r\n\r\n"
                                   "Subject: in\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
                                   "--c\r\n\r\nin one\r\n--c\r\nContent-ID: <in two>\r\n\r\nin two\r\n--c--\r\n"
                                   "--b\r\nContent-Type: message/rfc822\r\n\r\n"
                                   "Subject: plain\r\n\r\nplain text\r\n--b--\r\n";

static void assert_reads(span_t message, const char *spec, const char *expected)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf scratch;
    struct mime_part *root = NULL;
    struct imap_section section;
    span_t rest = span_of_text(spec);
    span_t bytes;
    buf_init(&scratch, 10000);
    assert_int_equal(arena_new(1000000, &arena), 0);
    assert_int_equal(mime_parse(message, arena, &root), 0);
    assert_int_equal(imap_section_parse(&rest, arena, &section), 0);
    assert_int_equal(rest.len, 0);
    int result = imap_section_read(root, message, &section, &scratch, &bytes);
    assert_int_equal(result, expected == NULL ? IMAP_SECTION_ABSENT : 0);
    if (expected != NULL) {
        span_t wanted = span_of_text(expected);
        if (!span_equal(bytes, wanted))
            print_error("%s: %.*s\n", spec, SPAN_PRINT(bytes));
        assert_true(span_equal(bytes, wanted));
    }
}

static void sections_name_what_rfc3501_says(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[]", message_text},
        {"[HEADER]", "Subject: out\r\nFrom: a@b\r\nX-A: 1\r\n 2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"},
        {"[HEADER.FIELDS (x-a \"SUBJECT\")]", "Subject: out\r\nX-A: 1\r\n 2\r\n\r\n"},
        {"[header.fields.not (X-A Content-Type)]", "Subject: out\r\nFrom: a@b\r\n\r\n"},
        {"[HEADER.FIELDS ({4}\r\nFrom None)]", "From: a@b\r\n\r\n"},
        {"[HEADER.FIELDS (None)]", "\r\n"},
        {"[1]", "one"},
        {"[1.MIME]", "Content-ID: <one>\r\n\r\n"},
        {"[1]<1.1>", "n"},
        {"[1]<2.100>", "e"},
        {"[1]<3.1>", ""},
        {"[1]<4000000000.4000000000>", ""},
        {"[2.MIME]", "Content-Type: message/rfc822\r\n\r\n"},
        {"[2.HEADER]", "Subject: in\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"},
        {"[2.HEADER.FIELDS (Subject)]", "Subject: in\r\n\r\n"},
        {"[2.TEXT]", "--c\r\n\r\nin one\r\n--c\r\nContent-ID: <in two>\r\n\r\nin two\r\n--c--"},
        {"[2.1]", "in one"},
        {"[2.2]", "in two"},
        {"[2.2.MIME]", "Content-ID: <in two>\r\n\r\n"},
        {"[3]", "Subject: plain\r\n\r\nplain text"},
        {"[3.1]", "plain text"},
        {"[3.TEXT]", "plain text"},
        {"[1.1]", NULL},
        {"[1.HEADER]", NULL},
        {"[1.TEXT]", NULL},
        {"[4]", NULL},
        {"[2.3]", NULL},
        {"[3.2]", NULL},
        {"[2.1.1]", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_reads(span_of_text(message_text), rows[i][0], rows[i][1]);
}

static void a_message_of_one_part_has_a_part_1(void **state)
{
    (void)state;
    assert_reads(SPAN("Subject: x\r\n\r\nbody"), "[1]", "body");
    assert_reads(SPAN("Subject: x\r\n\r\nbody"), "[1.MIME]", "Subject: x\r\n\r\n");
    assert_reads(SPAN("Subject: x\r\n\r\nbody"), "[TEXT]", "body");
    assert_reads(SPAN("Subject: x\r\n\r\nbody"), "[2]", NULL);
    assert_reads(SPAN("Subject: x"), "[HEADER.FIELDS (Subject)]", "Subject: x\r\n\r\n");
    assert_reads(SPAN("Content-Type: message/rfc822\n\nSubject: y\n\nz"), "[1]", "Subject: y\n\nz");
    assert_reads(SPAN("Content-Type: message/rfc822\n\nSubject: y\n\nz"), "[1.1]", "z");
    assert_reads(SPAN("Content-Type: message/rfc822\n\nSubject: y\n\nz"), "[1.HEADER]", "Subject: y\n\n");
}

static void what_is_no_section_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "[",
                                       "[0]",
                                       "[1.]",
                                       "[MIME]",
                                       "[1.FOO]",
                                       "[TEXT",
                                       "[HEADER.FIELDS]",
                                       "[HEADER.FIELDS ()]",
                                       "[HEADER.FIELDS (a]",
                                       "[]<1>",
                                       "[]<1.0>",
                                       "[]<1.2",
                                       "[4294967296]",
                                       "[HEADER.FIELDS ({5}\r\nab)]",
                                       "[01x]",
                                       "[HEADER.FIELDS (\"a)]",
                                       "[]<9223372036854775808.1>"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        struct imap_section section;
        span_t rest = span_of_text(rows[i]);
        assert_int_equal(arena_new(100000, &arena), 0);
        assert_int_equal(imap_section_parse(&rest, arena, &section), IMAP_SECTION_BAD);
    }
}

static void a_section_is_named_in_the_answer(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[]", "[]"},
        {"[1.2.text]<7.3>", "[1.2.TEXT]<7>"},
        {"[header.fields (From \"To\" \"a b\")]<0.9>", "[HEADER.FIELDS (From To \"a b\")]<0>"},
        {"[1.header.fields.not ({2}\r\nCc)]", "[1.HEADER.FIELDS.NOT (Cc)]"},
        {"[3.MIME]", "[3.MIME]"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        AUTO_BUF struct buf line;
        struct imap_section section;
        span_t rest = span_of_text(rows[i][0]);
        buf_init(&line, 1000);
        assert_int_equal(arena_new(100000, &arena), 0);
        assert_int_equal(imap_section_parse(&rest, arena, &section), 0);
        assert_int_equal(imap_section_append(&section, &line), 0);
        assert_true(span_equal(buf_span(&line), span_of_text(rows[i][1])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_name_what_rfc3501_says),
        cmocka_unit_test(a_message_of_one_part_has_a_part_1),
        cmocka_unit_test(what_is_no_section_is_refused),
        cmocka_unit_test(a_section_is_named_in_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
