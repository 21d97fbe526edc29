#pragma once

#include "base/scope.h"
#include "base/span.h"
#include "rt/loop.h"

/*
 * A message body between roles, over a stream socket pair whose one end went along with a message. On the wire: chunks
 * of length (4, little-endian, at most BODY_CHUNK_MAX) and bytes; a chunk of length 0 says that the body is complete.
 * An end without it means that the sender gave up.
 */
struct body_writer;
struct body_reader;
struct task;

/* A socket pair and its passing cost more than a small body, which goes along in the message instead. */
#define BODY_SMALL_MAX 16384U

#define BODY_CHUNK_MAX 131072U

enum body_outcome {
    BODY_DATA,
    BODY_COMPLETE,
    BODY_ABORTED, /* the sender gave up: forget it */
};

MUST_USE int body_pair(int ret_fds[2]); /* either end may be either side */

/* Takes the descriptor, always. Freeing a writer that was not finished aborts the body. */
MUST_USE int body_writer_new(struct loop *loop, int fd, struct body_writer **ret_writer);
void body_writer_free(struct body_writer *writer);

/* Any length: small pieces are gathered, large ones go out as they are. -EPIPE where the reader has gone. */
MUST_USE int body_write(struct task *task, struct body_writer *writer, span_t bytes, int64_t timeout_ms);
/* The last bytes, or SPAN_NONE, and the end, in one go. */
MUST_USE int body_finish(struct task *task, struct body_writer *writer, span_t bytes, int64_t timeout_ms);

/* Takes the descriptor, always. */
MUST_USE int body_reader_new(struct loop *loop, int fd, struct body_reader **ret_reader);
void body_reader_free(struct body_reader *reader);

/*
 * Reads straight into the room, of at least one byte, which the reader may use up to its end; *ret_len bytes at its
 * start are the body's. BODY_DATA with at least one byte; BODY_COMPLETE; BODY_ABORTED. -EBADMSG for a bad frame.
 */
MUST_USE int body_read(struct task *task, struct body_reader *reader, void *room, size_t room_len, int64_t timeout_ms,
                       size_t *ret_len);

SCOPE_OF(body_writer)
SCOPE_OF(body_reader)
