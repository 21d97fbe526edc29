#include <errno.h>

#include "base/mem.h"
#include "role/session/imap/imap.h"
#include "role/session/imap/tell.h"

/*
 * RFC 2177 §3. The command ends at once, without its tagged response: until DONE the client has no command under way,
 * and once it is silent no task. Others tell it through client_notify.
 */
int imap_do_idle(struct task *task, struct run *run)
{
    (void)task;
    struct client *client = run->client;
    span_t tag = run->command->tag;
    client->tag = mem_new(tag.len + 1);
    if (client->tag == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < tag.len; i++)
        client->tag[i] = (char)tag.at[i];
    buf_append_text(&client->out, "+ idling\r\n");
    return 0;
}

int imap_idle_input(struct task *task, struct client *client)
{
    span_t line = SPAN_NONE;
    uint64_t used = 0;
    enum imap_read read = imap_reader_line(&client->reader, &client->input, &line, &used);
    if (read == IMAP_READ_MORE)
        return IMAP_IDLE_GOES_ON;
    bool done = read == IMAP_READ_COMMAND && span_equal_nocase(span_trim(line), SPAN("DONE"));
    client->idling = false;
    task_group_wait(task, &client->tellers);
    if (read == IMAP_READ_COMMAND)
        buf_consume(&client->input, (size_t)used);
    else
        imap_reader_refuse(&client->reader, &client->input);
    int result = tell_all(task, client, TELL_IN_IDLE, VIEW_PLAIN);
    if (result != 0)
        return result < 0 ? result : 0;
    AUTO_FREE char *tag = TAKE(client->tag);
    imap_write_status(&client->out, span_of_text(tag), done ? "OK" : "BAD", done ? "Done" : "Expected DONE");
    client->bad = done ? 0 : client->bad + 1;
    return 0;
}
