#include "proto/imap/deflate.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

#define LEVEL 4         /* half the time of the usual 6, for a few percent */
#define WRITE_WINDOW 14 /* with WRITE_MEMORY, 128 KiB while something is said */
#define WRITE_MEMORY 7
#define WINDOW_SIZE 32768U
#define PIECE 16384U
#define AT_BLOCK_END 128 /* zlib's data_type: between two blocks */
#define LAST_BLOCK 64    /* the one at hand is the last */
#define UNUSED_BITS 7    /* and so many bits of the last byte are not used yet */

struct imap_deflate {
    z_stream out;
    z_stream in;
    bool is_writing; /* out is initialized */
    bool is_reading;
    bool is_dirty; /* something was packed that was not flushed */
    bool has_more;
    bool is_ended;    /* in */
    bool has_said;    /* the block at hand is not empty */
    bool is_flushed;  /* in, by an empty block that ended with a byte, which is what a flush comes to */
    uint8_t *history; /* of in, while it rests */
    unsigned history_len;
};

int imap_deflate_new(struct imap_deflate **ret_deflate)
{
    *ret_deflate = mem_new(sizeof(**ret_deflate));
    return *ret_deflate == NULL ? -ENOMEM : 0;
}

static void end_writing(struct imap_deflate *codec)
{
    if (codec->is_writing)
        (void)deflateEnd(&codec->out);
    codec->is_writing = false;
}

static void end_reading(struct imap_deflate *codec)
{
    if (codec->is_reading)
        (void)inflateEnd(&codec->in);
    codec->is_reading = false;
}

void imap_deflate_free(struct imap_deflate *codec)
{
    if (codec == NULL)
        return;
    end_writing(codec);
    end_reading(codec);
    free(codec->history);
    free(codec);
}

/* A new compressor refers to nothing that was said before it, so it may go on where another one has flushed. */
static int start_writing(struct imap_deflate *codec)
{
    if (codec->is_writing)
        return 0;
    codec->out = (z_stream){0};
    int result = deflateInit2(&codec->out, LEVEL, Z_DEFLATED, -WRITE_WINDOW, WRITE_MEMORY, Z_DEFAULT_STRATEGY);
    codec->is_writing = result == Z_OK;
    return result == Z_OK ? 0 : -ENOMEM;
}

static int write_out(struct imap_deflate *codec, int flush, struct buf *wire)
{
    AUTO_FREE uint8_t *piece = mem_new(PIECE);
    if (piece == NULL)
        return -ENOMEM;
    do {
        codec->out.next_out = piece;
        codec->out.avail_out = PIECE;
        int result = deflate(&codec->out, flush);
        if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END)
            return -EIO;
        int added = buf_append(wire, span_of(piece, PIECE - codec->out.avail_out));
        if (added < 0)
            return added;
    } while (codec->out.avail_out == 0);
    return 0;
}

int imap_deflate_pack(struct imap_deflate *codec, span_t plain, struct buf *wire)
{
    int result = plain.len == 0 ? 0 : start_writing(codec);
    while (result == 0 && plain.len > 0) {
        size_t len = plain.len < (1U << 30) ? plain.len : 1U << 30;
        codec->out.next_in = (Bytef *)(uintptr_t)plain.at; // NOLINT(performance-no-int-to-ptr): it is only read
        codec->out.avail_in = (uInt)len;
        codec->is_dirty = true;
        result = write_out(codec, Z_NO_FLUSH, wire);
        plain = span_from(plain, len);
    }
    return result;
}

int imap_deflate_flush(struct imap_deflate *codec, struct buf *wire)
{
    if (!codec->is_dirty)
        return 0;
    codec->is_dirty = false;
    codec->out.avail_in = 0;
    return write_out(codec, Z_SYNC_FLUSH, wire);
}

int imap_deflate_finish(struct imap_deflate *codec, struct buf *wire)
{
    int result = start_writing(codec);
    codec->is_dirty = false;
    codec->out.avail_in = 0;
    return result < 0 ? result : write_out(codec, Z_FINISH, wire);
}

static int start_reading(struct imap_deflate *codec)
{
    if (codec->is_reading)
        return 0;
    codec->in = (z_stream){0};
    if (inflateInit2(&codec->in, -MAX_WBITS) != Z_OK)
        return -ENOMEM;
    codec->is_reading = true;
    AUTO_FREE uint8_t *history = TAKE(codec->history);
    if (history != NULL && inflateSetDictionary(&codec->in, history, codec->history_len) != Z_OK)
        return -ENOMEM;
    return 0;
}

/* A call of inflate() ends with each block. */
static void note_block(struct imap_deflate *codec, size_t got)
{
    int type = codec->in.data_type;
    codec->has_said |= got > 0;
    if ((type & AT_BLOCK_END) == 0)
        return;
    codec->is_ended = (type & LAST_BLOCK) != 0;
    codec->is_flushed = codec->is_ended || (!codec->has_said && (type & UNUSED_BITS) == 0);
    codec->has_said = false;
}

static int read_in(struct imap_deflate *codec, size_t max, struct buf *plain)
{
    AUTO_FREE uint8_t *piece = mem_new(PIECE);
    if (piece == NULL)
        return -ENOMEM;
    codec->is_flushed = false;
    for (bool goes_on = max > 0; goes_on;) {
        size_t room = max < PIECE ? max : PIECE;
        codec->in.next_out = piece;
        codec->in.avail_out = (uInt)room;
        int result = inflate(&codec->in, Z_BLOCK);
        if (result != Z_OK && result != Z_BUF_ERROR)
            return result == Z_MEM_ERROR ? -ENOMEM : -EPROTO;
        size_t got = room - codec->in.avail_out;
        max -= got;
        int added = buf_append(plain, span_of(piece, got));
        if (added < 0)
            return added;
        note_block(codec, got);
        codec->has_more = codec->is_ended || got == room;
        goes_on = max > 0 && !codec->is_flushed && (codec->in.avail_in > 0 || got == room);
    }
    return 0;
}

int imap_deflate_unpack(struct imap_deflate *codec, span_t wire, size_t max, struct buf *plain, size_t *ret_used)
{
    int result = codec->is_ended ? -EPROTO : start_reading(codec);
    if (result < 0)
        return result;
    size_t len = wire.len < (1U << 30) ? wire.len : 1U << 30;
    codec->in.next_in = (Bytef *)(uintptr_t)wire.at; // NOLINT(performance-no-int-to-ptr): it is only read
    codec->in.avail_in = (uInt)len;
    result = read_in(codec, max, plain);
    *ret_used = len - codec->in.avail_in;
    return result;
}

bool imap_deflate_has_more(const struct imap_deflate *codec)
{
    return codec->has_more;
}

bool imap_deflate_is_flushed(const struct imap_deflate *codec)
{
    return codec->is_flushed;
}

/* In the middle of a block, or of a byte, a reader cannot be set up anew; a peer that flushes leaves it at neither. */
static void rest_reading(struct imap_deflate *codec)
{
    if (!codec->is_reading || codec->has_more || !codec->is_flushed)
        return;
    uInt len = 0;
    if (inflateGetDictionary(&codec->in, NULL, &len) != Z_OK || len > WINDOW_SIZE)
        return;
    uint8_t *history = mem_new(len + 1U);
    if (history == NULL || inflateGetDictionary(&codec->in, history, &len) != Z_OK) {
        free(history);
        return;
    }
    codec->history = history;
    codec->history_len = len;
    end_reading(codec);
}

void imap_deflate_rest(struct imap_deflate *codec)
{
    if (!codec->is_dirty)
        end_writing(codec);
    rest_reading(codec);
}
