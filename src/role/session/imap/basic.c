#include "role/session/imap/imap.h"
#include "role/session/takein.h"

int imap_do_capability(struct task *task, struct run *run)
{
    (void)task;
    struct buf *out = &run->client->out;
    buf_append_text(out, "* CAPABILITY ");
    imap_capabilities(out, IMAP_AUTHENTICATED, 0);
    buf_append_text(out, "\r\n");
    return run_ok(run, "Done");
}

/* Clients that do not IDLE ask with this whether something has come (RFC 9051 §6.1.2). */
int imap_do_noop(struct task *task, struct run *run)
{
    int result = takein_wait(task, run->session);
    return result < 0 ? result : run_ok(run, "Done");
}

int imap_do_logout(struct task *task, struct run *run)
{
    (void)task;
    imap_write_status(&run->client->out, SPAN("*"), "BYE", "Goodbye");
    run->bye = true;
    return run_ok(run, "Done");
}

int imap_do_id(struct task *task, struct run *run)
{
    (void)task;
    buf_append_text(&run->client->out, "* ID " IMAP_ID_REPLY "\r\n");
    return run_ok(run, "Done");
}

int imap_do_enable(struct task *task, struct run *run)
{
    (void)task;
    struct client *client = run->client;
    buf_append_text(&client->out, "* ENABLED");
    /* RFC 5161 §3.2: only what was not on before is named. */
    if ((run->command->enable.known & IMAP_ENABLE_CONDSTORE) != 0 && !client->condstore) {
        client->condstore = true;
        buf_append_text(&client->out, " CONDSTORE");
    }
    buf_append_text(&client->out, "\r\n");
    return run_ok(run, "Done");
}

int imap_do_namespace(struct task *task, struct run *run)
{
    (void)task;
    buf_append_text(&run->client->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    return run_ok(run, "Done");
}
