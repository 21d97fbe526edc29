#include "ipc/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "rt/stream.h"

#define FRAME_SIZE 4U

/* The chunk under construction, its length in front, so that a small body is one write(). */
struct body_writer {
    struct stream *stream;
    struct buf chunk;
};

struct body_reader {
    struct stream *stream;
    size_t left;   /* of the chunk at hand */
    size_t handed; /* given to the caller last time, not yet consumed */
    bool is_complete;
};

int body_pair(int ret_fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
        return -errno;
    return 0;
}

int body_writer_new(struct loop *loop, int fd, struct body_writer **ret_writer)
{
    AUTO_FD int owned = fd;
    AUTO_FREE struct body_writer *writer = mem_new(sizeof(*writer));
    if (writer == NULL)
        return -ENOMEM;
    int result = stream_new(loop, TAKE_FD(owned), &writer->stream);
    if (result < 0)
        return result;
    buf_init(&writer->chunk, 2 * FRAME_SIZE + BODY_CHUNK_MAX);
    *ret_writer = TAKE(writer);
    return 0;
}

void body_writer_free(struct body_writer *writer)
{
    if (writer == NULL)
        return;
    stream_free(writer->stream);
    buf_deinit(&writer->chunk);
    free(writer);
}

static int append_frame(struct buf *chunk, size_t len)
{
    uint8_t frame[FRAME_SIZE];
    bytes_put_u32(frame, (uint32_t)len);
    return buf_append(chunk, span_of(frame, sizeof(frame)));
}

static int send_chunk(struct task *task, struct body_writer *writer, int64_t timeout_ms)
{
    int result = stream_write(task, writer->stream, buf_span(&writer->chunk), timeout_ms);
    if (result == 0)
        result = stream_flush(task, writer->stream, timeout_ms);
    buf_clear(&writer->chunk);
    return result == -ECONNRESET ? -EPIPE : result;
}

/* The length in front is written when the chunk is complete. */
static void set_frame(struct body_writer *writer)
{
    size_t held = buf_len(&writer->chunk);
    if (held > 0)
        bytes_put_u32(writer->chunk.bytes + writer->chunk.start, (uint32_t)(held - FRAME_SIZE));
}

int body_write(struct task *task, struct body_writer *writer, span_t bytes, int64_t timeout_ms)
{
    while (bytes.len > 0) {
        if (buf_len(&writer->chunk) == 0)
            (void)append_frame(&writer->chunk, 0);
        size_t room = FRAME_SIZE + BODY_CHUNK_MAX - buf_len(&writer->chunk);
        span_t part = span_upto(bytes, room);
        int result = buf_append(&writer->chunk, part);
        if (result < 0)
            return result;
        bytes = span_from(bytes, part.len);
        set_frame(writer);
        if (part.len == room && (result = send_chunk(task, writer, timeout_ms)) < 0)
            return result;
    }
    return 0;
}

int body_finish(struct task *task, struct body_writer *writer, int64_t timeout_ms)
{
    int result = append_frame(&writer->chunk, 0);
    return result < 0 ? result : send_chunk(task, writer, timeout_ms);
}

int body_reader_new(struct loop *loop, int fd, struct body_reader **ret_reader)
{
    AUTO_FD int owned = fd;
    AUTO_FREE struct body_reader *reader = mem_new(sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    int result = stream_new(loop, TAKE_FD(owned), &reader->stream);
    if (result < 0)
        return result;
    *ret_reader = TAKE(reader);
    return 0;
}

void body_reader_free(struct body_reader *reader)
{
    if (reader == NULL)
        return;
    stream_free(reader->stream);
    free(reader);
}

/* BODY_DATA once at least that much input is there. */
static int need(struct task *task, struct body_reader *reader, size_t len, int64_t timeout_ms)
{
    while (stream_input(reader->stream).len < len) {
        int result = stream_fill(task, reader->stream, BODY_CHUNK_MAX, timeout_ms);
        if (result == STREAM_END || result == -ECONNRESET)
            return BODY_ABORTED;
        if (result < 0)
            return result;
    }
    return BODY_DATA;
}

int body_read(struct task *task, struct body_reader *reader, int64_t timeout_ms, span_t *ret_bytes)
{
    stream_consume(reader->stream, reader->handed);
    reader->handed = 0;
    if (reader->is_complete)
        return BODY_COMPLETE;
    if (reader->left == 0) {
        int result = need(task, reader, FRAME_SIZE, timeout_ms);
        if (result != BODY_DATA)
            return result;
        reader->left = bytes_get_u32(stream_input(reader->stream).at);
        stream_consume(reader->stream, FRAME_SIZE);
        reader->is_complete = reader->left == 0;
        if (reader->left > BODY_CHUNK_MAX)
            return -EBADMSG;
        if (reader->is_complete)
            return BODY_COMPLETE;
    }
    int result = need(task, reader, 1, timeout_ms);
    if (result != BODY_DATA)
        return result;
    *ret_bytes = span_upto(stream_input(reader->stream), reader->left);
    reader->handed = ret_bytes->len;
    reader->left -= ret_bytes->len;
    return BODY_DATA;
}
