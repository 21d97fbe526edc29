#include "role/gate/dialog.h"

#include <errno.h>

#include "crypto/secret.h"

#define READ_SIZE 1024U

void dialog_init(struct dialog *dialog, struct connection *connection, size_t max)
{
    dialog->connection = connection;
    buf_init(&dialog->input, max);
    buf_init(&dialog->output, max);
}

void dialog_deinit(struct dialog *dialog)
{
    if (dialog->input.bytes != NULL)
        secret_wipe(dialog->input.bytes, dialog->input.room);
    buf_deinit(&dialog->input);
    buf_deinit(&dialog->output);
}

int dialog_flush(struct task *task, struct dialog *dialog)
{
    struct stream *stream = dialog->connection->stream;
    int result = buf_fault(&dialog->output);
    if (result == 0 && buf_len(&dialog->output) > 0) {
        int64_t patience = connection_patience(dialog->connection, GATE_SAY_MS / 1000);
        result = stream_write(task, stream, buf_span(&dialog->output), patience);
        if (result == 0)
            result = stream_flush(task, stream, patience);
    }
    buf_clear(&dialog->output);
    return result;
}

static void forget_early(struct dialog *dialog, size_t len)
{
    secret_wipe(dialog->early->bytes + dialog->early->start, len);
    buf_consume(dialog->early, len);
}

static bool has_early(const struct dialog *dialog)
{
    return dialog->early != NULL && buf_len(dialog->early) > 0;
}

/* As much as comes of the stream at a time. */
static int take_early(struct dialog *dialog, size_t max)
{
    span_t piece = span_upto(buf_span(dialog->early), max);
    int result = buf_append(&dialog->input, piece);
    if (result == 0)
        forget_early(dialog, piece.len);
    return result;
}

int dialog_gather(struct dialog *dialog)
{
    if (!has_early(dialog))
        return 0;
    dialog->input.max += buf_len(dialog->early);
    return take_early(dialog, SIZE_MAX);
}

int dialog_fill(struct task *task, struct dialog *dialog)
{
    struct connection *connection = dialog->connection;
    uint8_t *at = NULL;
    size_t got = 0;
    int result = dialog_flush(task, dialog);
    if (result == 0 && has_early(dialog))
        return take_early(dialog, READ_SIZE);
    if (result == 0)
        result = buf_reserve(&dialog->input, READ_SIZE, &at);
    if (result == 0) { /* the connection's end is the end of its time to log in */
        int64_t left = connection->deadline - loop_now(connection->gate->loop);
        result = stream_read(task, connection->stream, at, READ_SIZE, left < 0 ? 0 : left, &got);
    }
    if (result != STREAM_OK)
        return result == STREAM_END ? -ECONNRESET : result;
    buf_commit(&dialog->input, got);
    return 0;
}

void dialog_consume(struct dialog *dialog, size_t len)
{
    secret_wipe(dialog->input.bytes + dialog->input.start, len);
    buf_consume(&dialog->input, len);
}

bool dialog_has_more(const struct dialog *dialog)
{
    return buf_len(&dialog->input) > 0 || has_early(dialog) || stream_has_buffered(dialog->connection->stream);
}

void dialog_end(struct task *task, struct dialog *dialog)
{
    if (task_is_cancelled(task))
        return; /* connection_say_stopping() has the last word */
    dialog->connection->deadline = loop_now(task_loop(task)) + GATE_SAY_MS;
    if (dialog_flush(task, dialog) == 0)
        (void)!stream_shutdown(task, dialog->connection->stream, GATE_SAY_MS);
}
