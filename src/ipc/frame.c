#include "ipc/frame.h"

#include <errno.h>

#include "base/bytes.h"

#define PROGRESS_HEAD 16U
#define END_HEAD 4U

static void write_head(struct buf *into, enum frame_kind kind, size_t length)
{
    uint8_t head[FRAME_HEAD] = {(uint8_t)kind};
    bytes_put_u32(head + 1, (uint32_t)length);
    (void)buf_append(into, span_of(head, sizeof(head)));
}

int frame_write(struct buf *into, enum frame_kind kind, span_t bytes)
{
    if (bytes.len > FRAME_MAX)
        return -EMSGSIZE;
    write_head(into, kind, bytes.len);
    (void)buf_append(into, bytes);
    return buf_fault(into);
}

int frame_write_progress(struct buf *into, const struct frame_progress *progress)
{
    uint8_t numbers[PROGRESS_HEAD];
    if (progress->what.len > FRAME_MAX - PROGRESS_HEAD)
        return -EMSGSIZE;
    bytes_put_u64(numbers, progress->done);
    bytes_put_u64(numbers + 8, progress->total);
    write_head(into, FRAME_PROGRESS, sizeof(numbers) + progress->what.len);
    (void)buf_append(into, span_of(numbers, sizeof(numbers)));
    (void)buf_append(into, progress->what);
    return buf_fault(into);
}

int frame_write_end(struct buf *into, const struct frame_end *end)
{
    uint8_t status[END_HEAD];
    if (end->error.len > FRAME_MAX - END_HEAD)
        return -EMSGSIZE;
    bytes_put_u32(status, end->status);
    write_head(into, FRAME_END, sizeof(status) + end->error.len);
    (void)buf_append(into, span_of(status, sizeof(status)));
    (void)buf_append(into, end->error);
    return buf_fault(into);
}

int frame_read(span_t input, struct frame *ret_frame, size_t *ret_used)
{
    if (input.len < FRAME_HEAD)
        return FRAME_MORE;
    uint8_t kind = input.at[0];
    size_t length = bytes_get_u32(input.at + 1);
    if (kind < FRAME_OUTPUT || kind > FRAME_INPUT || length > FRAME_MAX)
        return -EBADMSG;
    if (length > input.len - FRAME_HEAD)
        return FRAME_MORE;
    *ret_frame = (struct frame){.kind = (enum frame_kind)kind, .bytes = span_slice(input, FRAME_HEAD, length)};
    *ret_used = FRAME_HEAD + length;
    return FRAME_READ;
}

int frame_read_progress(const struct frame *frame, struct frame_progress *ret_progress)
{
    if (frame->kind != FRAME_PROGRESS || frame->bytes.len < PROGRESS_HEAD)
        return -EBADMSG;
    ret_progress->done = bytes_get_u64(frame->bytes.at);
    ret_progress->total = bytes_get_u64(frame->bytes.at + 8);
    ret_progress->what = span_from(frame->bytes, PROGRESS_HEAD);
    return 0;
}

int frame_read_end(const struct frame *frame, struct frame_end *ret_end)
{
    if (frame->kind != FRAME_END || frame->bytes.len < END_HEAD)
        return -EBADMSG;
    ret_end->status = bytes_get_u32(frame->bytes.at);
    ret_end->error = span_from(frame->bytes, END_HEAD);
    return 0;
}
