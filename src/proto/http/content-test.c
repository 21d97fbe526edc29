#include "base/test.h"

#include "base/buf.h"
#include "proto/http/content.h"

/* Feeds the text in pieces of a size, and gathers the content. What is left of the input is counted. */
static enum http_content_result feed(struct http_content *content, span_t text, size_t step, struct buf *out,
                                     size_t *ret_left)
{
    AUTO_BUF struct buf held = {0};
    size_t fed = 0;
    buf_init(&held, 1U << 16);
    for (;;) {
        span_t input = buf_span(&held);
        span_t piece;
        enum http_content_result result = http_content_next(content, &input, &piece);
        if (result == HTTP_CONTENT_PIECE)
            assert_int_equal(buf_append(out, piece), 0);
        buf_consume(&held, buf_len(&held) - input.len);
        *ret_left = buf_len(&held) + text.len - fed;
        if (result == HTTP_CONTENT_END || result == HTTP_CONTENT_MALFORMED)
            return result;
        if (result == HTTP_CONTENT_MORE && fed == text.len)
            return result;
        if (result == HTTP_CONTENT_MORE) {
            span_t next = span_slice(text, fed, step);
            assert_int_equal(buf_append(&held, next), 0);
            fed += next.len;
        }
    }
}

static void content_is_freed_of_its_framing_however_it_comes(void **state)
{
    (void)state;
    static const struct {
        struct http_response response;
        const char *text;
        enum http_content_result result;
        const char *content;
        size_t left;
    } rows[] = {
        {{.framing = HTTP_LENGTH, .length = 5}, "helloNEXT", HTTP_CONTENT_END, "hello", 4},
        {{.framing = HTTP_LENGTH, .length = 9}, "hello", HTTP_CONTENT_MORE, "hello", 0},
        {{.framing = HTTP_LENGTH, .length = 0}, "x", HTTP_CONTENT_END, "", 1},
        {{.framing = HTTP_NO_BODY}, "x", HTTP_CONTENT_END, "", 1},
        {{.framing = HTTP_UNTIL_CLOSE}, "hello", HTTP_CONTENT_MORE, "hello", 0},
        {{.framing = HTTP_CHUNKED}, "5\r\nhello\r\n0\r\n\r\nX", HTTP_CONTENT_END, "hello", 1},
        {{.framing = HTTP_CHUNKED},
         "2;a=b\r\nhe\r\n00A\r\nllo world!\r\n0\r\nT: x\r\n\r\n",
         HTTP_CONTENT_END,
         "hello world!",
         0},
        {{.framing = HTTP_CHUNKED}, "5\r\nhelloX\r\n", HTTP_CONTENT_MALFORMED, "hello", 0},
        {{.framing = HTTP_CHUNKED}, "5\nhello", HTTP_CONTENT_MALFORMED, "", 0},
        {{.framing = HTTP_CHUNKED}, "x\r\nhello", HTTP_CONTENT_MALFORMED, "", 0},
        {{.framing = HTTP_CHUNKED}, "\r\nhello", HTTP_CONTENT_MALFORMED, "", 0},
        {{.framing = HTTP_CHUNKED}, "1234567890abcdef\r\nhello", HTTP_CONTENT_MALFORMED, "", 0},
        {{.framing = HTTP_CHUNKED}, "5\r\nhel", HTTP_CONTENT_MORE, "hel", 0},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        for (size_t step = 1; step < 40; step++) {
            AUTO_BUF struct buf out = {0};
            struct http_content content;
            size_t left;
            buf_init(&out, 1U << 16);
            http_content_init(&content, &rows[row].response);
            assert_int_equal(feed(&content, span_of_text(rows[row].text), step, &out, &left), rows[row].result);
            assert_true(span_equal(buf_span(&out), span_of_text(rows[row].content)));
            if (rows[row].result == HTTP_CONTENT_END)
                assert_int_equal(left, rows[row].left);
        }
    }
}

static void trailers_and_size_lines_have_limits(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    AUTO_BUF struct buf out = {0};
    struct http_response chunked = {.framing = HTTP_CHUNKED};
    struct http_content content;
    size_t left;
    buf_init(&text, 1U << 16);
    buf_init(&out, 1U << 16);
    assert_int_equal(buf_append_text(&text, "0\r\n"), 0);
    while (buf_len(&text) < 2 * HTTP_TRAILER_MAX)
        assert_int_equal(buf_append_text(&text, "Trailer: 0123456789012345678901234567890123456789\r\n"), 0);
    http_content_init(&content, &chunked);
    assert_int_equal(feed(&content, buf_span(&text), 1000, &out, &left), HTTP_CONTENT_MALFORMED);
    buf_clear(&text);
    while (buf_len(&text) < 2 * HTTP_CHUNK_LINE_MAX)
        assert_int_equal(buf_append_text(&text, "0"), 0);
    http_content_init(&content, &chunked);
    assert_int_equal(feed(&content, buf_span(&text), 10, &out, &left), HTTP_CONTENT_MALFORMED);
}

static void only_content_without_a_length_may_end_with_the_connection(void **state)
{
    (void)state;
    static const struct {
        struct http_response response;
        bool may_end;
    } rows[] = {
        {{.framing = HTTP_UNTIL_CLOSE}, true},
        {{.framing = HTTP_NO_BODY}, true},
        {{.framing = HTTP_LENGTH, .length = 1}, false},
        {{.framing = HTTP_CHUNKED}, false},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct http_content content;
        http_content_init(&content, &rows[row].response);
        assert_int_equal(http_content_may_end(&content), rows[row].may_end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_freed_of_its_framing_however_it_comes),
        cmocka_unit_test(trailers_and_size_lines_have_limits),
        cmocka_unit_test(only_content_without_a_length_may_end_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
