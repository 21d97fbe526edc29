#include "trust/unpack/unpack.h"

#include <assert.h>

/* An attachment as anyone may send it: whatever it is, no more comes out than was allowed, and nothing of what failed.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 100000U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf plain = {0};
    buf_init(&plain, MAX + 2);
    assert(buf_append_byte(&plain, 'x') == 0);
    int result = unpack(span_of(data, size), MAX, &plain);
    assert(result >= 0 && result <= UNPACK_UNSUPPORTED);
    assert(buf_len(&plain) <= MAX + 1 && (result == UNPACK_OK || buf_len(&plain) == 1));
    return 0;
}
