#pragma once

#include "base/buf.h"

/*
 * What a command line tool and the session of an account say to each other, over a stream socket of their own: frames
 * of kind (1), length (4, little-endian, at most FRAME_MAX) and that many bytes. The command itself has come with the
 * socket. The session sends output and progress as it works and one FRAME_END as its last word; a stream that ends
 * without it means that the session has died. The tool sends what it reads from standard input, and closes its
 * side where the command reads it all.
 */
#define FRAME_HEAD 5U
#define FRAME_MAX 65536U

enum frame_kind {
    FRAME_OUTPUT = 1,   /* for standard output */
    FRAME_PROGRESS = 2, /* done (8), of a total (8), and what is being done, as text */
    FRAME_END = 3,      /* exit status (4), and an error in one line, or nothing */
    FRAME_INPUT = 4,    /* from standard input */
};

struct frame {
    enum frame_kind kind;
    span_t bytes;
};

struct frame_progress {
    uint64_t done;
    uint64_t total;
    span_t what;
};

struct frame_end {
    uint32_t status;
    span_t error;
};

enum frame_outcome {
    FRAME_READ,
    FRAME_MORE, /* it has not all come yet */
};

/* -EMSGSIZE: more than FRAME_MAX; or the buffer's fault. */
int frame_write(struct buf *into, enum frame_kind kind, span_t bytes);
int frame_write_progress(struct buf *into, const struct frame_progress *progress);
int frame_write_end(struct buf *into, const struct frame_end *end);

/* The first frame of the input, of which it takes *ret_used bytes; it points into the input. -EBADMSG: it is none. */
MUST_USE int frame_read(span_t input, struct frame *ret_frame, size_t *ret_used);
/* What stands in a frame of that kind. -EBADMSG. */
MUST_USE int frame_read_progress(const struct frame *frame, struct frame_progress *ret_progress);
MUST_USE int frame_read_end(const struct frame *frame, struct frame_end *ret_end);
