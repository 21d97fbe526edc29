#include "role/session/wire.h"

#include "proto/imap/deflate.h"

#define READ_CHUNK 65536U
#define PACKED_MAX (CLIENT_OUT_MAX + (1U << 20))

static int write_packed(struct task *task, struct client *client, const struct buf *packed, int result)
{
    return result < 0 ? result : stream_write(task, client->stream, buf_span(packed), CLIENT_WRITE_MS);
}

int wire_write(struct task *task, struct client *client, span_t bytes)
{
    if (client->deflate == NULL)
        return stream_write(task, client->stream, bytes, CLIENT_WRITE_MS);
    struct buf packed AUTO_BUF;
    buf_init(&packed, PACKED_MAX);
    return write_packed(task, client, &packed, imap_deflate_pack(client->deflate, bytes, &packed));
}

int wire_flush(struct task *task, struct client *client)
{
    int result = 0;
    if (client->deflate != NULL) {
        struct buf packed AUTO_BUF;
        buf_init(&packed, PACKED_MAX);
        result = write_packed(task, client, &packed, imap_deflate_flush(client->deflate, &packed));
    }
    return result < 0 ? result : stream_flush(task, client->stream, CLIENT_WRITE_MS);
}

/* What is there already: false where that is nothing. */
static bool take_input(struct client *client, int *ret_result)
{
    span_t input = stream_input(client->stream);
    size_t before = buf_len(&client->input);
    size_t used = input.len;
    if (client->deflate == NULL)
        *ret_result = buf_append(&client->input, input);
    else if (input.len > 0 || imap_deflate_has_more(client->deflate))
        *ret_result = imap_deflate_unpack(client->deflate, input, READ_CHUNK, &client->input, &used);
    stream_consume(client->stream, used);
    return *ret_result < 0 || buf_len(&client->input) > before;
}

int wire_read(struct task *task, struct client *client)
{
    int result = STREAM_OK;
    while (result == STREAM_OK && !take_input(client, &result))
        result = stream_fill(task, client->stream, READ_CHUNK, CLIENT_PARK_MS);
    return result;
}

void wire_rest(struct client *client)
{
    if (client->deflate != NULL)
        imap_deflate_rest(client->deflate);
}
