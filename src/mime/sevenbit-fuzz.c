#include <assert.h>

#include "mime/message.h"
#include "mime/sevenbit.h"
#include "mime/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever comes in, what comes out is ASCII with sound line ends, and stays as it is when it is converted again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf out;
    AUTO_BUF struct buf again;
    buf_init(&out, (size_t)8 << 20);
    buf_init(&again, (size_t)8 << 20);
    if (size > 65536 || arena_new(MIME_ARENA_MAX, &arena) != 0)
        return 0;
    int result = mime_sevenbit(span_of(data, size), arena, &out);
    assert(result == MIME_SEVENBIT_DONE || result == MIME_SEVENBIT_SIGNED);
    if (result != MIME_SEVENBIT_DONE)
        return 0;
    assert(ascii_is_clean(buf_span(&out)));
    arena_reset(arena);
    assert(mime_sevenbit(buf_span(&out), arena, &again) >= 0);
    return 0;
}
