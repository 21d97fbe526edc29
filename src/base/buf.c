#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BUF_ROOM_MIN 256U

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_deinit(struct buf *buf)
{
    free(buf->bytes);
    buf_init(buf, buf->max);
}

span_t buf_span(const struct buf *buf)
{
    return buf->bytes == NULL ? SPAN_NONE : span_of(buf->bytes + buf->start, buf->end - buf->start);
}

size_t buf_len(const struct buf *buf)
{
    return buf->end - buf->start;
}

int buf_fault(const struct buf *buf)
{
    return buf->fault;
}

static int keep_fault(struct buf *buf, int fault)
{
    if (buf->fault == 0)
        buf->fault = fault;
    return fault;
}

static int grow(struct buf *buf, size_t needed)
{
    size_t room = buf->room == 0 ? BUF_ROOM_MIN : buf->room;
    while (room < needed)
        room *= 2;
    if (room > buf->max && needed <= buf->max)
        room = buf->max;
    uint8_t *bytes = mem_resize(buf->bytes, room);
    if (bytes == NULL)
        return keep_fault(buf, -ENOMEM);
    buf->bytes = bytes;
    buf->room = room;
    return 0;
}

int buf_reserve(struct buf *buf, size_t len, uint8_t **ret_at)
{
    size_t held = buf_len(buf);
    if (held > buf->max || len > buf->max - held)
        return keep_fault(buf, -ENOBUFS);
    if (len > buf->room - buf->end) {
        if (buf->start > 0) {
            memmove(buf->bytes, buf->bytes + buf->start, held);
            buf->start = 0;
            buf->end = held;
        }
        if (len > buf->room - buf->end) {
            int result = grow(buf, held + len);
            if (result < 0)
                return result;
        }
    }
    *ret_at = buf->bytes == NULL ? NULL : buf->bytes + buf->end; /* NULL only where len is 0 */
    return 0;
}

void buf_commit(struct buf *buf, size_t len)
{
    assert(len <= buf->room - buf->end);
    buf->end += len;
}

int buf_append(struct buf *buf, span_t bytes)
{
    uint8_t *at = NULL;
    if (bytes.len == 0)
        return 0;
    int result = buf_reserve(buf, bytes.len, &at);
    if (result < 0)
        return result;
    memcpy(at, bytes.at, bytes.len);
    buf_commit(buf, bytes.len);
    return 0;
}

int buf_append_text(struct buf *buf, const char *text)
{
    return buf_append(buf, span_of_text(text));
}

int buf_append_byte(struct buf *buf, uint8_t byte)
{
    return buf_append(buf, span_of(&byte, 1));
}

int buf_append_u64(struct buf *buf, uint64_t value)
{
    uint8_t digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return buf_append(buf, span_of(digits + at, sizeof(digits) - at));
}

int buf_append_format(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = buf_append_vformat(buf, format, arguments);
    va_end(arguments);
    return result;
}

int buf_append_vformat(struct buf *buf, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return keep_fault(buf, -EINVAL);
    uint8_t *at = NULL;
    int result = buf_reserve(buf, (size_t)length + 1, &at);
    if (result < 0)
        return result;
    (void)vsnprintf((char *)at, (size_t)length + 1, format, arguments);
    buf_commit(buf, (size_t)length);
    return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
    assert(len <= buf_len(buf));
    buf->start += len;
    if (buf->start == buf->end) {
        buf->start = 0;
        buf->end = 0;
    }
}

void buf_truncate(struct buf *buf, size_t len)
{
    assert(len <= buf_len(buf));
    buf->end = buf->start + len;
}

void buf_clear(struct buf *buf)
{
    buf->start = 0;
    buf->end = 0;
    buf->fault = 0;
}

void buf_release(struct buf *buf)
{
    if (buf_len(buf) == 0)
        buf_deinit(buf);
}
