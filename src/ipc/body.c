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
#define GATHER_MAX 32768U /* pieces are copied together up to this; what makes it more goes out with no copy */
#define READ_AHEAD 65536U /* of the chunk after the one at hand */

/* What has been gathered, its length to be written in front. */
struct body_writer {
    struct stream *stream;
    struct buf gathered;
};

struct body_reader {
    struct stream *stream;
    size_t left; /* of the chunk at hand */
    uint8_t frame[FRAME_SIZE];
    size_t frame_len; /* of the next chunk's frame, what has been read */
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
    buf_init(&writer->gathered, GATHER_MAX);
    *ret_writer = TAKE(writer);
    return 0;
}

void body_writer_free(struct body_writer *writer)
{
    if (writer == NULL)
        return;
    stream_free(writer->stream);
    buf_deinit(&writer->gathered);
    free(writer);
}

/* Sends what was gathered and the bytes as one chunk, and with it the end. */
static int send_chunk(struct task *task, struct body_writer *writer, span_t bytes, bool is_last, int64_t timeout_ms)
{
    static const uint8_t end[FRAME_SIZE];
    span_t gathered = buf_span(&writer->gathered);
    size_t len = gathered.len + bytes.len;
    uint8_t frame[FRAME_SIZE];
    bytes_put_u32(frame, (uint32_t)len);
    struct iovec parts[] = {
        {frame, len > 0 ? FRAME_SIZE : 0},
        {(void *)(uintptr_t)gathered.at, gathered.len},
        {(void *)(uintptr_t)bytes.at, bytes.len},
        {(void *)(uintptr_t)end, is_last ? FRAME_SIZE : 0},
    };
    int result = stream_write_parts(task, writer->stream, parts, COUNT_OF(parts), timeout_ms);
    buf_clear(&writer->gathered);
    return result == -ECONNRESET ? -EPIPE : result;
}

/* Sends chunks until what is left, with what was gathered, is at most `upto`. */
static int send_chunks(struct task *task, struct body_writer *writer, span_t *bytes, size_t upto, int64_t timeout_ms)
{
    int result = 0;
    while (result == 0 && buf_len(&writer->gathered) + bytes->len > upto) {
        span_t part = span_upto(*bytes, BODY_CHUNK_MAX - buf_len(&writer->gathered));
        *bytes = span_from(*bytes, part.len);
        result = send_chunk(task, writer, part, false, timeout_ms);
    }
    return result;
}

int body_write(struct task *task, struct body_writer *writer, span_t bytes, int64_t timeout_ms)
{
    int result = send_chunks(task, writer, &bytes, GATHER_MAX, timeout_ms);
    return result < 0 ? result : buf_append(&writer->gathered, bytes);
}

int body_finish(struct task *task, struct body_writer *writer, span_t bytes, int64_t timeout_ms)
{
    int result = send_chunks(task, writer, &bytes, BODY_CHUNK_MAX, timeout_ms);
    return result < 0 ? result : send_chunk(task, writer, bytes, true, timeout_ms);
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

/* Takes the next bytes of the frame from the span, and begins a chunk when it is whole. */
static int take_frame(struct body_reader *reader, span_t *from)
{
    span_t part = span_upto(*from, FRAME_SIZE - reader->frame_len);
    memcpy(reader->frame + reader->frame_len, part.at, part.len);
    reader->frame_len += part.len;
    *from = span_from(*from, part.len);
    if (reader->frame_len < FRAME_SIZE)
        return 0;
    reader->frame_len = 0;
    reader->left = bytes_get_u32(reader->frame);
    reader->is_complete = reader->left == 0;
    return reader->left > BODY_CHUNK_MAX ? -EBADMSG : 0;
}

/*
 * Sorts out what was read behind the chunk at hand: frames are taken out from between the bytes, which move up. As a
 * rule there is one at the most, behind which little has been read. Nothing comes behind the end.
 */
static int take_behind(struct body_reader *reader, uint8_t *at, size_t len, size_t *ret_kept)
{
    span_t rest = span_of(at, len);
    size_t kept = 0;
    while (rest.len > 0 && !reader->is_complete) {
        span_t part = span_upto(rest, reader->left);
        if (at + kept != rest.at)
            memmove(at + kept, rest.at, part.len);
        kept += part.len;
        reader->left -= part.len;
        rest = span_from(rest, part.len);
        int result = rest.len > 0 ? take_frame(reader, &rest) : 0;
        if (result < 0)
            return result;
    }
    *ret_kept = kept;
    return 0;
}

/* One read: the rest of the chunk at hand, the frame of the next, and the beginning of that. */
static int read_some(struct task *task, struct body_reader *reader, uint8_t *room, size_t room_len, int64_t timeout_ms,
                     size_t *ret_len)
{
    size_t first = reader->left < room_len ? reader->left : room_len;
    size_t behind = room_len - first < READ_AHEAD ? room_len - first : READ_AHEAD;
    uint8_t frame[FRAME_SIZE];
    size_t frame_room = first < reader->left ? 0 : FRAME_SIZE - reader->frame_len;
    const struct iovec parts[] = {{room, first}, {frame, frame_room}, {room + first, frame_room > 0 ? behind : 0}};
    size_t got = 0;
    int result = stream_read_parts(task, reader->stream, parts, COUNT_OF(parts), timeout_ms, &got);
    if (result == STREAM_END || result == -ECONNRESET)
        return BODY_ABORTED;
    if (result < 0)
        return result;
    size_t len = got < first ? got : first;
    reader->left -= len;
    got -= len;
    span_t head = span_upto(span_of(frame, frame_room), got);
    got -= head.len;
    result = head.len > 0 ? take_frame(reader, &head) : 0;
    if (result == 0 && got > 0)
        result = take_behind(reader, room + first, got, &got);
    *ret_len = len + got;
    return result < 0 ? result : (int)BODY_DATA;
}

int body_read(struct task *task, struct body_reader *reader, void *room, size_t room_len, int64_t timeout_ms,
              size_t *ret_len)
{
    size_t len = 0;
    while (len == 0) {
        if (reader->is_complete)
            return BODY_COMPLETE;
        int result = read_some(task, reader, room, room_len, timeout_ms, &len);
        if (result != BODY_DATA)
            return result;
    }
    *ret_len = len;
    return BODY_DATA;
}
