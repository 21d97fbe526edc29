#include "trust/unpack/pack.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for a gzip header */
#define MEMORY_LEVEL 8
#define PIECE 4096U

static int deflate_all(z_stream *stream, struct buf *packed)
{
    for (;;) {
        uint8_t piece[PIECE];
        stream->next_out = piece;
        stream->avail_out = sizeof(piece);
        int code = deflate(stream, Z_FINISH);
        if (code != Z_OK && code != Z_STREAM_END)
            return -EIO;
        int result = buf_append(packed, span_of(piece, sizeof(piece) - stream->avail_out));
        if (result != 0 || code == Z_STREAM_END)
            return result;
    }
}

int pack_gzip(span_t plain, struct buf *packed)
{
    z_stream stream = {0};
    if (plain.len > UINT_MAX)
        return -ENOBUFS;
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    stream.next_in = (Bytef *)(uintptr_t)plain.at;
    stream.avail_in = (uInt)plain.len;
    int result = deflate_all(&stream, packed);
    (void)deflateEnd(&stream);
    return result;
}
