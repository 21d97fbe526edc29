#include <errno.h>

#include "role/session/imap/imap.h"

/* Reads until the client's DONE. 0, or positive where it was something else. */
static int read_done(struct task *task, struct client *client, uint64_t *used)
{
    for (;;) {
        span_t all = span_from(buf_span(&client->input), (size_t)*used);
        size_t end = span_find_byte(all, '\n');
        if (end < all.len) {
            *used += end + 1;
            return span_equal_nocase(span_trim(span_upto(all, end)), SPAN("DONE")) ? 0 : 1;
        }
        if (all.len > IMAP_LINE_MAX)
            return 1;
        int result = client_read(task, client);
        if (result != STREAM_OK)
            return result < 0 ? result : -ECONNRESET;
    }
}

/* RFC 2177 §3. Others tell this client through client_notify while it waits. */
int imap_do_idle(struct task *task, struct run *run)
{
    struct client *client = run->client;
    /* The command's own bytes are still at the front of the input; what follows them is ours. */
    uint64_t used = 0;
    span_t line = SPAN_NONE;
    if (imap_reader_line(&client->reader, &client->input, &line, &used) != IMAP_READ_COMMAND)
        return run_bad(run, "No literals in IDLE");
    size_t own = (size_t)used;
    /* Reading on moves the input, in which the tag stands. */
    int result = arena_copy(run->arena, run->command->tag, &run->command->tag);
    if (result < 0)
        return result;
    buf_append_text(&client->out, "+ idling\r\n");
    struct view_format format = {.expunge = VIEW_TELL_EXPUNGED, .modseq = client->condstore};
    result = client_tell(task, client, format);
    if (result == 0)
        result = client_flush(task, client);
    if (result != 0)
        return result < 0 ? result : run_ok(run, "Done");
    buf_release(&client->out);
    client->idling = true;
    result = read_done(task, client, &used);
    client->idling = false;
    task_group_wait(task, &client->tellers);
    if (result < 0)
        return result;
    /* The caller consumes the IDLE line; DONE goes here, from behind it. */
    client->idle_done = (size_t)used - own;
    return result == 0 ? run_ok(run, "Done") : run_bad(run, "Expected DONE");
}
