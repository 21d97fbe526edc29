#include "role/session/imap/imap.h"
#include "role/session/takein.h"

static void write_item(struct run *run, bool *is_first, const char *name, uint64_t value)
{
    struct buf *out = &run->client->out;
    if (!*is_first)
        buf_append_byte(out, ' ');
    *is_first = false;
    buf_append_format(out, "%s %llu", name, (unsigned long long)value);
}

int imap_do_status(struct task *task, struct run *run)
{
    struct vault_mailbox mailbox;
    int result = 0;
    result = takein_wait(task, run->session);
    if (result < 0 || !run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, &result))
        return result;
    uint32_t recent = 0;
    if (mailbox.recent_from < mailbox.uidnext)
        recent = mailbox.uidnext - mailbox.recent_from;
    const struct {
        enum imap_status_item item;
        const char *name;
        uint64_t value;
    } items[] = {
        {IMAP_STATUS_MESSAGES, "MESSAGES", mailbox.total},
        {IMAP_STATUS_RECENT, "RECENT", recent < mailbox.total ? recent : mailbox.total},
        {IMAP_STATUS_UIDNEXT, "UIDNEXT", mailbox.uidnext},
        {IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY", mailbox.uidvalidity},
        {IMAP_STATUS_UNSEEN, "UNSEEN", mailbox.unseen},
        {IMAP_STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ", mailbox.highest_modseq},
    };
    bool is_first = true;
    buf_append_text(&run->client->out, "* STATUS ");
    imap_write_mailbox(&run->client->out, run->command->mailbox);
    buf_append_text(&run->client->out, " (");
    for (size_t i = 0; i < COUNT_OF(items); i++)
        if ((run->command->status.items & items[i].item) != 0)
            write_item(run, &is_first, items[i].name, items[i].value);
    buf_append_text(&run->client->out, ")\r\n");
    /* RFC 7162 §3.1.7: asking for HIGHESTMODSEQ switches CONDSTORE on. */
    if ((run->command->status.items & IMAP_STATUS_HIGHESTMODSEQ) != 0)
        run->client->condstore = true;
    return run_ok(run, "Done");
}
