#pragma once

#include "role/session/client.h"

/*
 * A client's bytes between it and its stream: as they are, or compressed (RFC 4978), which happens here, as gate only
 * moves bytes and knows no command. All faults end the connection.
 */

/* Adds to what goes out with wire_flush, or once it is much. */
MUST_USE int wire_write(struct task *task, struct client *client, span_t bytes);
MUST_USE int wire_flush(struct task *task, struct client *client);

/* Some more into client->input, at least a byte. STREAM_OK, STREAM_END, or a fault; -ETIMEDOUT after CLIENT_PARK_MS. */
MUST_USE int wire_read(struct task *task, struct client *client);

/* With all flushed and read: gives memory back. */
void wire_rest(struct client *client);
