#include "role/session/wire.h"

#include <errno.h>

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

int wire_finish(struct task *task, struct client *client, span_t bytes)
{
    int result = 0;
    AUTO(imap_deflate) struct imap_deflate *deflate = TAKE(client->deflate);
    if (deflate == NULL) {
        result = wire_write(task, client, bytes);
    } else {
        struct buf packed AUTO_BUF;
        buf_init(&packed, PACKED_MAX);
        result = imap_deflate_pack(deflate, bytes, &packed);
        if (result == 0)
            result = write_packed(task, client, &packed, imap_deflate_finish(deflate, &packed));
    }
    return result < 0 ? result : stream_flush(task, client->stream, CLIENT_WRITE_MS);
}

/* One piece of what is there. */
static int take_piece(struct client *client)
{
    span_t input = stream_input(client->stream);
    size_t used = input.len;
    int result = 0;
    if (client->deflate == NULL)
        result = buf_append(&client->input, input);
    else if (input.len > 0 || imap_deflate_has_more(client->deflate))
        result = imap_deflate_unpack(client->deflate, input, READ_CHUNK, &client->input, &used);
    stream_consume(client->stream, used);
    return result;
}

/* What is there already: false where that is nothing. A piece may say nothing, as a flush does. */
static bool take_input(struct client *client, int *ret_result)
{
    size_t before = buf_len(&client->input);
    do
        *ret_result = take_piece(client);
    while (*ret_result == 0 && buf_len(&client->input) == before && stream_input(client->stream).len > 0);
    return *ret_result < 0 || buf_len(&client->input) > before;
}

/* A client that does not flush like that is not waited for. */
int wire_settle(struct task *task, struct client *client)
{
    struct buf more AUTO_BUF;
    buf_init(&more, 1);
    int result = 0;
    while (result == 0 && buf_len(&more) == 0 && !imap_deflate_is_flushed(client->deflate)) {
        span_t input = stream_input(client->stream);
        size_t used = 0;
        if (input.len == 0 && !imap_deflate_has_more(client->deflate))
            result = stream_fill(task, client->stream, READ_CHUNK, CLIENT_PARK_MS);
        else
            result = imap_deflate_unpack(client->deflate, input, 1, &more, &used);
        stream_consume(client->stream, used);
    }
    if (buf_len(&more) > 0)
        return WIRE_GOES_ON;
    return result == -ETIMEDOUT || result == STREAM_END ? 0 : result;
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
