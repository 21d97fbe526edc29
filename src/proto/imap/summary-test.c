#include "base/test.h"

#include "proto/imap/summary.h"

static void base_subjects_follow_rfc5256(void **state)
{
    (void)state;
    static const struct {
        const char *subject;
        const char *base;
        bool is_reply;
    } rows[] = {
        {"hello", "hello", false},
        {"Re: hello", "hello", true},
        {"RE:  re: Fwd: hello (fwd)", "hello", true},
        {"[list] hello", "hello", false},
        {"[list] Re: [list] hello", "hello", true},
        {"Re[2]: hello", "hello", true},
        {"Re [2] : hello", "hello", true},
        {"[fwd: hello]", "hello", true},
        {"[fwd: Re: hello]", "hello", true},
        {"[only]", "[only]", false},
        {"hello   world \t x", "hello world x", false},
        {"Return: x", "Return: x", false},
        {"fw: x", "x", true},
        {"", "", false},
        {"Re:", "", true},
        {"[fwd:]", "", true},
        {"[[x] y", "[[x] y", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        span_t base;
        bool is_reply = false;
        assert_int_equal(arena_new(10000, &arena), 0);
        assert_int_equal(imap_base_subject(span_of_text(rows[i].subject), arena, &base, &is_reply), 0);
        if (!span_equal(base, span_of_text(rows[i].base)))
            print_error("%s: %.*s\n", rows[i].subject, SPAN_PRINT(base));
        assert_true(span_equal(base, span_of_text(rows[i].base)));
        assert_int_equal(is_reply, rows[i].is_reply);
    }
}

static void a_header_is_summed_up(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct imap_summary summary;
    assert_int_equal(arena_new(100000, &arena), 0);
    span_t header = SPAN("From: =?utf-8?q?J=C3=B6rg?= <j@x.y>, k@z\nTo: all: t@x;\nCc: none:;\nMessage-Id: < m@x >\n"
                         "Subject: Re: =?utf-8?q?gr=C3=BCn?=\nReferences: <1@x>junk<2@x>\n <3@x>\n"
                         "In-Reply-To: your mail <3@x>\nDate: 2 Jan 2006 15:04:05 +0000\n\n");
    assert_int_equal(imap_summary_read(header, arena, &summary), 0);
    assert_true(span_equal(summary.message_id, SPAN("m@x")));
    assert_int_equal(summary.reference_count, 3);
    assert_true(span_equal(summary.references[2], SPAN("3@x")));
    assert_true(span_equal(summary.in_reply_to, SPAN("3@x")));
    assert_true(span_equal(summary.base_subject, SPAN("gr\xc3\xbcn")));
    assert_true(summary.is_reply && summary.has_date);
    assert_int_equal(summary.date.unix_time, 1136214245);
}

static void in_reply_to_stands_in_for_references(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf header;
    struct imap_summary summary;
    assert_int_equal(arena_new(1000000, &arena), 0);
    assert_int_equal(imap_summary_read(SPAN("In-Reply-To: <a@b> <c@d>\nMessage-ID: bare@x\n\n"), arena, &summary), 0);
    assert_int_equal(summary.reference_count, 1);
    assert_true(span_equal(summary.references[0], SPAN("a@b")));
    assert_true(span_equal(summary.message_id, SPAN("bare@x")));
    assert_int_equal(imap_summary_read(SPAN_NONE, arena, &summary), 0);
    assert_int_equal(summary.reference_count, 0);
    assert_null(summary.message_id.at);

    buf_init(&header, 100000);
    buf_append_text(&header, "References:");
    for (unsigned i = 0; i < 1000; i++)
        buf_append_format(&header, " <%u@x>", i);
    assert_int_equal(imap_summary_read(buf_span(&header), arena, &summary), 0);
    assert_int_equal(summary.reference_count, IMAP_REFERENCES_MAX);
    assert_true(span_equal(summary.references[IMAP_REFERENCES_MAX - 1], SPAN("999@x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_subjects_follow_rfc5256),
        cmocka_unit_test(a_header_is_summed_up),
        cmocka_unit_test(in_reply_to_stands_in_for_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
