#include <stdlib.h>

#include "ipc/transfer.h"

/* What decodes must encode to the very bytes it came from. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct transfer transfer;
    struct frame frame = {.kind = FRAME_INPUT, .bytes = span_of(data, size)};
    if (size > FRAME_MAX || transfer_read(&frame, &transfer) < 0)
        return 0;
    AUTO_BUF struct buf wire;
    buf_init(&wire, FRAME_HEAD + FRAME_MAX);
    if (transfer_write(&wire, FRAME_INPUT, &transfer) < 0 ||
        !span_equal(span_from(buf_span(&wire), FRAME_HEAD), span_of(data, size)))
        abort();
    return 0;
}
