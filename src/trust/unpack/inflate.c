#include "trust/unpack/inflate.h"

#include <errno.h>
#include <zlib.h>

#define PIECE 16384U
#define INPUT_MAX (1U << 30) /* zlib counts in 32 bits; no report is as long */

static bool is_beyond(const struct inflate_limits *limits)
{
    if (limits->out > limits->max)
        return true;
    return limits->out > limits->ratio_free && limits->out / limits->ratio > limits->in;
}

/* One piece more; UNPACK_OK with *ret_is_over where the stream has ended. */
static int add_piece(z_stream *stream, struct inflate_limits *limits, struct buf *plain, bool *ret_is_over)
{
    const size_t left = limits->max - limits->out + 1; /* one byte too many shows that there are too many */
    const uInt room = left < PIECE ? (uInt)left : PIECE;
    uint8_t *at = NULL;
    int result = buf_reserve(plain, room, &at);
    if (result != 0)
        return result;
    const uInt held = stream->avail_in;
    stream->next_out = at;
    stream->avail_out = room;
    const int state = inflate(stream, Z_NO_FLUSH);
    const size_t made = room - stream->avail_out;
    limits->in += held - stream->avail_in;
    limits->out += made;
    buf_commit(plain, made);
    if (state == Z_MEM_ERROR)
        return -ENOMEM;
    if (is_beyond(limits))
        return UNPACK_TOO_LARGE;
    *ret_is_over = state == Z_STREAM_END;
    /* no end, and nothing gained by another piece of room: it was cut off */
    if (state == Z_STREAM_END || (state == Z_OK && (made > 0 || stream->avail_in != held)))
        return UNPACK_OK;
    return UNPACK_MALFORMED;
}

int inflate_append(enum inflate_kind kind, span_t packed, struct inflate_limits *limits, struct buf *plain,
                   size_t *ret_used)
{
    z_stream stream = {0};
    if (packed.len > INPUT_MAX)
        return UNPACK_TOO_LARGE;
    if (inflateInit2(&stream, kind == INFLATE_GZIP ? MAX_WBITS + 16 : -MAX_WBITS) != Z_OK)
        return -ENOMEM;
    stream.next_in = (Bytef *)(uintptr_t)packed.at; // NOLINT(performance-no-int-to-ptr): it is only read
    stream.avail_in = (uInt)packed.len;
    bool is_over = false;
    int result = UNPACK_OK;
    while (result == UNPACK_OK && !is_over)
        result = add_piece(&stream, limits, plain, &is_over);
    *ret_used = packed.len - stream.avail_in;
    (void)inflateEnd(&stream);
    return result;
}

uint32_t inflate_checksum(span_t bytes)
{
    uLong sum = crc32(0, NULL, 0);
    for (; bytes.len > 0; bytes = span_from(bytes, INPUT_MAX))
        sum = crc32(sum, bytes.at, (uInt)span_upto(bytes, INPUT_MAX).len);
    return (uint32_t)sum;
}
