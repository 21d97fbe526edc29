#include <stdlib.h>

#include "ipc/message.h"

/* What decodes must encode to the very bytes it came from. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(ipc_message) struct ipc_message *message = NULL;
    if (ipc_message_decode(span_of(data, size), &message) < 0)
        return 0;
    AUTO_BUF struct buf packet;
    buf_init(&packet, IPC_PACKET_MAX);
    if (ipc_message_encode(message, &packet) < 0 || !span_equal(buf_span(&packet), span_of(data, size)))
        abort();
    return 0;
}
