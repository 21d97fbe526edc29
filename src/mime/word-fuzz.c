#include <assert.h>

#include "mime/utf8.h"
#include "mime/text.h"
#include "mime/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf utf8;
    AUTO_BUF struct buf encoded;
    AUTO_BUF struct buf again;
    AUTO_BUF struct buf folded;
    buf_init(&utf8, size * 16 + 256);
    buf_init(&encoded, size * 64 + 1024);
    buf_init(&again, size * 16 + 256);
    buf_init(&folded, size * 512 + 1024);
    if (mime_word_decode(span_of(data, size), &utf8) < 0)
        return 0;
    assert(utf8_is_valid(buf_span(&utf8)));
    for (size_t i = 0; i < buf_len(&utf8); i++)
        assert(buf_span(&utf8).at[i] >= 0x20);
    int result = mime_word_encode(buf_span(&utf8), &encoded);
    assert(result == 0);
    result = mime_word_decode(buf_span(&encoded), &again);
    assert(result == 0);
    if (!ascii_is_clean(buf_span(&utf8)))
        assert(span_equal(buf_span(&utf8), buf_span(&again)));
    result = mime_text_fold(buf_span(&utf8), &folded);
    assert(result == 0 && utf8_is_valid(buf_span(&folded)));
    return 0;
}
