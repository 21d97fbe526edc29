#include <assert.h>
#include <errno.h>

#include "mime/downgrade.h"
#include "mime/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was to be downgraded is ASCII afterwards, and needs it no more. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf ascii;
    span_t header = span_of(data, size);
    buf_init(&ascii, 64 * size + 1024);
    if (!mime_downgrade_needed(header))
        return 0;
    int result = mime_downgrade_header(header, &ascii);
    assert(result == 0 || result == -ENOMEM || result == -ENOBUFS);
    assert(result < 0 || ascii_is_clean(buf_span(&ascii)));
    return 0;
}
