#include "base/test.h"

#include "proto/http/request.h"

static void requests_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        enum http_request_result result;
        const char *host;
        const char *path;
    } rows[] = {
        {"GET /a?b=c HTTP/1.1\r\nHost: x.test:443\r\nAccept: */*\r\n\r\n", HTTP_REQUEST_OK, "x.test", "/a"},
        {"GET / HTTP/1.0\n\n", HTTP_REQUEST_OK, "", "/"},
        {"GET / HTTP/1.1\r\nHost: x.test\r\n", HTTP_REQUEST_PARTIAL, NULL, NULL},
        {"", HTTP_REQUEST_PARTIAL, NULL, NULL},
        {"GET /\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"GET x HTTP/1.1\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"GET / HTTP/2\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"GET  / HTTP/1.1\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"\r\nGET / HTTP/1.1\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", HTTP_REQUEST_MALFORMED, NULL, NULL},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_REQUEST_MALFORMED, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http_request request;
        assert_int_equal(http_request_parse(span_of_text(rows[i].input), &request), rows[i].result);
        if (rows[i].result != HTTP_REQUEST_OK)
            continue;
        assert_true(span_equal(request.host, span_of_text(rows[i].host)));
        assert_true(span_equal(request.path, span_of_text(rows[i].path)));
        assert_true(span_equal(request.method, SPAN("GET")));
    }
}

static void what_never_ends_is_too_large(void **state)
{
    (void)state;
    static uint8_t text[HTTP_REQUEST_MAX + 1];
    struct http_request request;
    for (size_t at = 0; at < sizeof(text); at++)
        text[at] = 'x';
    assert_int_equal(http_request_parse(span_of(text, HTTP_REQUEST_MAX - 1), &request), HTTP_REQUEST_PARTIAL);
    assert_int_equal(http_request_parse(span_of(text, sizeof(text)), &request), HTTP_REQUEST_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_or_refused),
        cmocka_unit_test(what_never_ends_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
