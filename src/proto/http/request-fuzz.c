#include <assert.h>

#include "proto/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request;
    if (http_request_parse(span_of(data, size), &request) != HTTP_REQUEST_OK)
        return 0;
    assert(request.method.len > 0 && request.path.len > 0 && request.path.at[0] == '/');
    assert(request.host.len < HTTP_REQUEST_MAX);
    return 0;
}
