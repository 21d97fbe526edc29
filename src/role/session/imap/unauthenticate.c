#include <errno.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "role/session/imap/imap.h"
#include "role/session/wire.h"

/*
 * RFC 8437 §3. The session ends its part and the gate, which speaks before a login, goes on. What the client has sent
 * behind the command may be here already, or on its way: it is the next user's, goes back as it came, and is read by
 * nobody.
 */

/*
 * What the client compressed ends with the command, and only a flush shows where on the wire that is: nothing may
 * follow up to there. Nor is the connection kept then, as the next user's commands must not become this one's.
 */
static bool ends_compression(struct task *task, struct client *client)
{
    if (client->deflate == NULL)
        return true;
    return !client->followed && wire_settle(task, client) == 0;
}

int imap_do_unauthenticate(struct task *task, struct run *run)
{
    struct client *client = run->client;
    run->bye = true;
    if (!ends_compression(task, client)) {
        imap_write_status(&client->out, SPAN("*"), "BYE", "Nothing compressed may follow UNAUTHENTICATE");
        return run_bad(run, "Closing the connection");
    }
    client_leave(client);
    client->given_back = true;
    return run_ok(run, "Logged out, log in again");
}

static int return_bytes(struct task *task, struct client *client, uint8_t *bytes, size_t len)
{
    struct iovec part = {.iov_base = bytes, .iov_len = len};
    int result = stream_write_parts(task, client->stream, &part, 1, CLIENT_WRITE_MS);
    secret_wipe(bytes, len);
    return result;
}

/* Back goes what was read already, then all up to where the gate has stopped. */
static int return_input(struct task *task, struct client *client)
{
    AUTO_FREE uint8_t *chunk = mem_new(STREAM_CHUNK);
    if (chunk == NULL)
        return -ENOMEM;
    int result = 0;
    if (buf_len(&client->input) > 0)
        result = return_bytes(task, client, client->input.bytes + client->input.start, buf_len(&client->input));
    while (result == STREAM_OK) {
        size_t len = 0;
        result = stream_read(task, client->stream, chunk, STREAM_CHUNK, CLIENT_WRITE_MS, &len);
        if (result == STREAM_OK)
            result = return_bytes(task, client, chunk, len);
    }
    return result == STREAM_END ? 0 : result;
}

int imap_give_back(struct task *task, struct client *client)
{
    int result = buf_fault(&client->out);
    if (result == 0)
        result = wire_finish(task, client, buf_span(&client->out));
    buf_clear(&client->out);
    if (result == 0)
        result = stream_write_mark(task, client->stream, CLIENT_WRITE_MS);
    if (result == 0)
        result = return_input(task, client);
    return result < 0 ? result : stream_write_mark(task, client->stream, CLIENT_WRITE_MS);
}
