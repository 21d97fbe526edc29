#include "proto/http/content.h"

#include <assert.h>

/* A response as any server may send it: pieces lie within the input, in order, and never add up to more than came. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response response;
    struct http_content content;
    if (http_response_parse(span_of(data, size), &response) != HTTP_HEAD_OK)
        return 0;
    assert(response.head_len <= size && response.status >= 100 && response.status <= 599);
    assert(response.framing != HTTP_UNTIL_CLOSE || response.is_last);
    (void)http_field(response.fields, "content-type");
    span_t input = span_from(span_of(data, size), response.head_len);
    http_content_init(&content, &response);
    uint64_t total = 0;
    for (;;) {
        span_t before = input;
        span_t piece;
        enum http_content_result result = http_content_next(&content, &input, &piece);
        assert(input.len <= before.len);
        if (result != HTTP_CONTENT_PIECE)
            break;
        assert(piece.len > 0 && piece.at >= before.at && piece.at + piece.len <= before.at + before.len);
        total += piece.len;
    }
    assert(total <= size);
    assert(response.framing != HTTP_LENGTH || total <= response.length);
    return 0;
}
