#pragma once

#include "base/buf.h"

/* The answer to a command, owned by the caller. */
struct control_answer {
    uint32_t status;
    struct buf output;
    struct buf error;
    int session_fd; /* where the session goes on with the command (tool/follow.h), or -1 */
};

/* The packets of tool.h. words: each ended by NUL. -EMSGSIZE: more than a packet holds. */
MUST_USE int control_write(span_t words, span_t input, struct buf *packet);
MUST_USE int control_read(span_t packet, struct control_answer *answer); /* -EPROTO: not an answer */

/*
 * Sends a packet to the server at a socket and waits for its answer. -ENOENT and -ECONNREFUSED: none is running;
 * -EACCES: it does not listen to us; -ECONNRESET: it ended before it answered; -EAGAIN: no answer within so many
 * seconds. Packets of one answer are joined.
 */
#define CONTROL_PATIENCE 120
MUST_USE int control_ask(const char *path, span_t packet, int seconds, struct control_answer *answer);
