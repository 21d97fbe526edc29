#pragma once

#include <stdarg.h>

#include "base/scope.h"
#include "base/span.h"

/*
 * The one growing buffer. It never holds more than its maximum; bytes are appended at the end and consumed at the
 * front. Appending answers -ENOBUFS beyond the maximum and -ENOMEM without memory; the buffer is then unchanged and
 * remembers the fault, so that a writer may append much and look at buf_fault() once.
 */
struct buf {
    uint8_t *bytes;
    size_t start; /* first byte not yet consumed */
    size_t end;
    size_t room;
    size_t max;
    int fault;
};

void buf_init(struct buf *buf, size_t max);
void buf_deinit(struct buf *buf); /* frees; the buffer is empty and usable again */

span_t buf_span(const struct buf *buf); /* valid until the next call that changes the buffer */
size_t buf_len(const struct buf *buf);
int buf_fault(const struct buf *buf);

int buf_append(struct buf *buf, span_t bytes);
int buf_append_text(struct buf *buf, const char *text);
int buf_append_byte(struct buf *buf, uint8_t byte);
int buf_append_u64(struct buf *buf, uint64_t value); /* in decimal */
int buf_append_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
int buf_append_vformat(struct buf *buf, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

/* Room for at least len more bytes, to be written by the caller and then claimed with buf_commit. */
MUST_USE int buf_reserve(struct buf *buf, size_t len, uint8_t **ret_at);
void buf_commit(struct buf *buf, size_t len);

void buf_consume(struct buf *buf, size_t len); /* from the front */
void buf_truncate(struct buf *buf, size_t len);
void buf_clear(struct buf *buf);   /* keeps the memory, forgets the fault */
void buf_release(struct buf *buf); /* gives the memory back when empty */

#define AUTO_BUF __attribute__((cleanup(buf_deinit)))
