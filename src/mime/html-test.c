#include "base/test.h"

#include <errno.h>
#include <string.h>

#include "mime/html.h"

static const struct {
    const char *html;
    const char *words; /* the text with all white space as one blank */
} rows[] = {
    {"<p>One</p><p>two</p>", "One two"},
    {"<b>bo</b>ld", "bold"},
    {"<td>left</td><td>right</td>", "left right"},
    {"a &lt;b&gt; &amp; &eacute;&#233;&#x20ac;", "a <b> & \303\251\303\251\342\202\254"},
    {"<style>p { color: red }</style>seen<script>var hidden = 1;</script>", "seen"},
    {"<head><title>Title</title></head><body>body", "Title body"},
    {"<img src=x alt=\"a cat\">", "a cat"},
    {"<!-- a comment -->plain", "plain"},
    {"broken <b <i>tags</p></div> go on", "broken tags go on"},
    {"stra\303\237e <br>next", "stra\303\237e next"},
    {"<meta http-equiv=Content-Type content='text/html; charset=iso-8859-1'>\303\251", "\303\251"},
    {"no tags at all", "no tags at all"},
    {"&#0; &#x110000; &bogus; x", "&bogus; x"},
    {"", ""},
};

static void squeeze(span_t text, struct buf *words)
{
    bool is_apart = false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_white = text.at[i] == ' ' || text.at[i] == '\n' || text.at[i] == '\t' || text.at[i] == '\r';
        if (!is_white && is_apart && buf_len(words) > 0)
            buf_append_byte(words, ' ');
        if (!is_white)
            buf_append_byte(words, text.at[i]);
        is_apart = is_white;
    }
}

static void text_is_what_a_reader_sees(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf text AUTO_BUF;
        struct buf words AUTO_BUF;
        buf_init(&text, 10000);
        buf_init(&words, 10000);
        assert_int_equal(mime_html_text(span_of_text(rows[i].html), &text), 0);
        squeeze(buf_span(&text), &words);
        buf_append_byte(&words, 0);
        assert_string_equal((const char *)buf_span(&words).at, rows[i].words);
    }
}

static void text_beyond_the_buffer_is_cut(void **state)
{
    (void)state;
    struct buf text AUTO_BUF;
    buf_init(&text, 8);
    assert_int_equal(mime_html_text(SPAN("<p>first</p><p>the second does not fit</p>"), &text), -ENOBUFS);
    assert_memory_equal(buf_span(&text).at, "first\n", 6);
}

static void deep_nesting_is_read(void **state)
{
    (void)state;
    struct buf html AUTO_BUF;
    struct buf text AUTO_BUF;
    buf_init(&html, 1000000);
    buf_init(&text, 1000000);
    for (size_t i = 0; i < 50000; i++)
        buf_append_text(&html, "<div>");
    buf_append_text(&html, "bottom");
    assert_int_equal(mime_html_text(buf_span(&html), &text), 0);
    assert_memory_equal(buf_span(&text).at, "bottom", 6);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(text_is_what_a_reader_sees),
        cmocka_unit_test(text_beyond_the_buffer_is_cut),
        cmocka_unit_test(deep_nesting_is_read),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
