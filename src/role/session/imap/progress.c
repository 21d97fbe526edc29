#include "role/session/imap/imap.h"

/* RFC 9585 §3: between two responses, and seldom. */
int run_progress(struct task *task, struct run *run, uint64_t done, uint64_t goal)
{
    int64_t now = loop_now(run->session->loop);
    struct buf *out = &run->client->out;
    if (now - run->told < (int64_t)run->session->conf->imap_progress * 1000)
        return 0;
    run->told = now;
    buf_append_text(out, "* OK [INPROGRESS (");
    imap_write_quoted(out, run->command->tag);
    if (goal > 0)
        buf_append_format(out, " %llu %llu", (unsigned long long)done, (unsigned long long)goal);
    else
        buf_append_text(out, " NIL NIL");
    buf_append_text(out, ")] Still at it\r\n");
    return client_flush(task, run->client);
}
