#include "role/session/imap/imap.h"
#include "role/session/takein.h"

void imap_write_capabilities(const struct session *session, struct buf *out)
{
    imap_capabilities(out, IMAP_AUTHENTICATED, 0);
    buf_append_text(out, " APPENDLIMIT="); /* RFC 7889 §2 */
    buf_append_u64(out, session->conf->smtp_message_max);
}

int imap_do_capability(struct task *task, struct run *run)
{
    (void)task;
    struct buf *out = &run->client->out;
    buf_append_text(out, "* CAPABILITY ");
    imap_write_capabilities(run->session, out);
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
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{IMAP_ENABLE_CONDSTORE, " CONDSTORE"},
                 {IMAP_ENABLE_QRESYNC, " QRESYNC"},
                 {IMAP_ENABLE_UTF8, " UTF8=ACCEPT"},
                 {IMAP_ENABLE_UIDONLY, " UIDONLY"},
                 {IMAP_ENABLE_REV2, " IMAP4rev2"}};
    struct client *client = run->client;
    unsigned before = client->enabled | (client->condstore ? (unsigned)IMAP_ENABLE_CONDSTORE : 0);
    buf_append_text(&client->out, "* ENABLED");
    /* RFC 5161 §3.2: only what was not on before is named. */
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if ((run->command->enable.known & names[i].bit & ~before) != 0)
            buf_append_text(&client->out, names[i].name);
    buf_append_text(&client->out, "\r\n");
    client->enabled |= run->command->enable.known & ~(unsigned)IMAP_ENABLE_CONDSTORE;
    if ((run->command->enable.known & (IMAP_ENABLE_CONDSTORE | IMAP_ENABLE_QRESYNC)) != 0)
        client->condstore = true; /* RFC 7162 §3.2.3: QRESYNC implies it */
    if (client->view != NULL)
        run_dress_view(run, client->view);
    return run_ok(run, "Done");
}

int imap_do_namespace(struct task *task, struct run *run)
{
    (void)task;
    buf_append_text(&run->client->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    return run_ok(run, "Done");
}
