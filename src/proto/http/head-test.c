#include "base/test.h"

#include "base/buf.h"
#include "proto/http/head.h"

static void heads_are_read_and_framed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http_head_result result;
        unsigned status;
        enum http_framing framing;
        uint64_t length;
        bool is_last;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", HTTP_HEAD_OK, 200, HTTP_LENGTH, 5, false},
        {"HTTP/1.1 200\nContent-length:5\n\nhello", HTTP_HEAD_OK, 200, HTTP_LENGTH, 5, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", HTTP_HEAD_OK, 200, HTTP_CHUNKED, 0, false},
        {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", HTTP_HEAD_OK, 200, HTTP_LENGTH, 0,
         true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", HTTP_HEAD_OK, 200, HTTP_LENGTH, 1, true},
        {"HTTP/1.1 404 Not Found\r\n\r\n", HTTP_HEAD_OK, 404, HTTP_UNTIL_CLOSE, 0, true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", HTTP_HEAD_OK, 204, HTTP_NO_BODY, 5, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", HTTP_HEAD_OK, 200, HTTP_LENGTH, 5, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0,
         false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nA: b\rc: d\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 99 x\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 600 x\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/2 200\r\n\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"220 mail ESMTP\r\n", HTTP_HEAD_MALFORMED, 0, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nA: b\r\n", HTTP_HEAD_PARTIAL, 0, 0, 0, false},
        {"HTTP/1.1", HTTP_HEAD_PARTIAL, 0, 0, 0, false},
        {"", HTTP_HEAD_PARTIAL, 0, 0, 0, false},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct http_response response;
        assert_int_equal(http_response_parse(span_of_text(rows[row].text), &response), rows[row].result);
        if (rows[row].result != HTTP_HEAD_OK)
            continue;
        assert_int_equal(response.status, rows[row].status);
        assert_int_equal(response.framing, rows[row].framing);
        assert_int_equal(response.length, rows[row].length);
        assert_int_equal(response.is_last, rows[row].is_last);
    }
}

static void fields_are_found_in_any_case(void **state)
{
    (void)state;
    struct http_response response;
    span_t input = SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/plain \r\nX: 1\r\nx: 2\r\n\r\nY: 3\r\n");
    assert_int_equal(http_response_parse(input, &response), HTTP_HEAD_OK);
    assert_true(span_equal(http_field(response.fields, "content-type"), SPAN("text/plain")));
    assert_true(span_equal(http_field(response.fields, "X"), SPAN("1")));
    assert_null(http_field(response.fields, "Y").at);
    assert_true(span_equal(span_from(input, response.head_len), SPAN("Y: 3\r\n")));
}

static void a_head_without_end_is_refused_at_its_limit(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    struct http_response response;
    buf_init(&text, 2 * HTTP_HEAD_MAX);
    assert_int_equal(buf_append_text(&text, "HTTP/1.1 200 OK\r\nA: "), 0);
    while (buf_len(&text) < HTTP_HEAD_MAX) {
        assert_int_equal(http_response_parse(buf_span(&text), &response), HTTP_HEAD_PARTIAL);
        assert_int_equal(buf_append_text(&text, "0123456789abcdef0123456789abcdef"), 0);
    }
    assert_int_equal(http_response_parse(buf_span(&text), &response), HTTP_HEAD_MALFORMED);
    buf_clear(&text);
    assert_int_equal(buf_append_text(&text, "HTTP/1.1 200 OK\r\n"), 0);
    for (size_t at = 0; at <= HTTP_FIELDS_MAX; at++)
        assert_int_equal(buf_append_text(&text, "A: b\r\n"), 0);
    assert_int_equal(http_response_parse(buf_span(&text), &response), HTTP_HEAD_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_and_framed),
        cmocka_unit_test(fields_are_found_in_any_case),
        cmocka_unit_test(a_head_without_end_is_refused_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
