#pragma once

#include "role/session/client.h"

/*
 * A client's bytes between it and its stream: as they are, or compressed (RFC 4978), which happens here, as gate only
 * moves bytes and knows no command. All faults end the connection.
 */

/* Adds to what goes out with wire_flush, or once it is much. */
MUST_USE int wire_write(struct task *task, struct client *client, span_t bytes);
MUST_USE int wire_flush(struct task *task, struct client *client);

/* Writes the last of what is compressed, and flushes it: what follows goes out as it is. */
MUST_USE int wire_finish(struct task *task, struct client *client, span_t bytes);

/* Of a compressed connection: reads up to where the client has flushed, or ended, what it said last. WIRE_GOES_ON: it
 * has said more than was read before. */
enum wire_settled { WIRE_GOES_ON = 1 };
MUST_USE int wire_settle(struct task *task, struct client *client);

/* Some more into client->input, at least a byte. STREAM_OK, STREAM_END, or a fault; -ETIMEDOUT after CLIENT_PARK_MS. */
MUST_USE int wire_read(struct task *task, struct client *client);

/* With all flushed and read: gives memory back. */
void wire_rest(struct client *client);
