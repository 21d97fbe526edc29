#include <stdlib.h>

#include "base/buf.h"
#include "proto/imap/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Byte 0 says how much comes at a time, byte 1 how much may come out of it; the rest is what a client sends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(imap_deflate) struct imap_deflate *deflate = NULL;
    struct buf plain AUTO_BUF;
    buf_init(&plain, 1 << 20);
    if (size < 2 || imap_deflate_new(&deflate) < 0)
        return 0;
    size_t piece = 1U + data[0];
    size_t max = 1U + 16U * data[1];
    span_t rest = span_of(data + 2, size - 2);
    for (int result = 0; result == 0 && (rest.len > 0 || imap_deflate_has_more(deflate));) {
        size_t used = 0;
        size_t before = buf_len(&plain);
        result = imap_deflate_unpack(deflate, span_upto(rest, piece), max, &plain, &used);
        if (result == 0 && buf_len(&plain) - before > max)
            abort();
        rest = span_from(rest, used);
        if (used % 3 == 0)
            imap_deflate_rest(deflate);
    }
    return 0;
}
