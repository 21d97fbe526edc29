#include <assert.h>

#include "trust/authres/authres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(span_t part, span_t whole)
{
    return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const span_t input = span_of(data, size);
    struct authres_item item;
    (void)authres_is_of(input, SPAN("mx.example"));
    span_t rest = authres_results(input);
    size_t count = 0;
    while (authres_next(&rest, &item)) {
        assert(item.method.len > 0 && is_within(item.method, input) && is_within(item.result, input));
        assert(++count <= size);
    }
    assert(rest.len == 0);
    return 0;
}
