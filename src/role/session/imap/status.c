#include <errno.h>

#include "role/session/imap/imap.h"
#include "role/session/takein.h"
#include "vault/member.h"

struct item {
    enum imap_status_item item;
    const char *format;
    uint64_t value;
};

static void write_item(struct buf *out, const struct item *item, bool *is_first)
{
    if (!*is_first)
        buf_append_byte(out, ' ');
    *is_first = false;
    buf_append_text(out, item->format);
    buf_append_u64(out, item->value);
    if (item->item == IMAP_STATUS_MAILBOXID)
        buf_append_byte(out, ')');
}

static int add_deleted(void *arg, const struct vault_member *member)
{
    uint64_t *bytes = arg;
    *bytes += (member->flags & VAULT_DELETED) != 0 ? member->size : 0;
    return 0;
}

/* What an EXPUNGE would free, in octets (RFC 9208 §4.1.4). */
static uint64_t deleted_bytes(struct run *run, const struct vault_mailbox *mailbox, unsigned items)
{
    uint64_t bytes = 0;
    if ((items & IMAP_STATUS_DELETED_STORAGE) == 0 || mailbox->deleted == 0)
        return 0;
    if (vault_member_scan(run->vault, mailbox->id, VAULT_RANGE_ALL, add_deleted, &bytes) < 0)
        run->client->out.fault = -EIO;
    return bytes;
}

void status_write(struct run *run, const struct vault_mailbox *mailbox, unsigned items)
{
    uint32_t recent = 0;
    if (mailbox->recent_from < mailbox->uidnext)
        recent = mailbox->uidnext - mailbox->recent_from;
    const struct item all[] = {
        {IMAP_STATUS_MESSAGES, "MESSAGES ", mailbox->total},
        {IMAP_STATUS_RECENT, "RECENT ", recent < mailbox->total ? recent : mailbox->total},
        {IMAP_STATUS_UIDNEXT, "UIDNEXT ", mailbox->uidnext},
        {IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY ", mailbox->uidvalidity},
        {IMAP_STATUS_UNSEEN, "UNSEEN ", mailbox->unseen},
        {IMAP_STATUS_DELETED, "DELETED ", mailbox->deleted},
        {IMAP_STATUS_DELETED_STORAGE, "DELETED-STORAGE ", deleted_bytes(run, mailbox, items)},
        {IMAP_STATUS_SIZE, "SIZE ", mailbox->bytes},
        {IMAP_STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ ", mailbox->highest_modseq},
        {IMAP_STATUS_MAILBOXID, "MAILBOXID (F", mailbox->id},
        {IMAP_STATUS_APPENDLIMIT, "APPENDLIMIT ", run->session->conf->smtp_message_max},
    };
    bool is_first = true;
    buf_append_byte(&run->client->out, '(');
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if ((items & all[i].item) != 0)
            write_item(&run->client->out, &all[i], &is_first);
    buf_append_byte(&run->client->out, ')');
    /* RFC 7162 §3.1.7: asking for HIGHESTMODSEQ switches CONDSTORE on. */
    if ((items & IMAP_STATUS_HIGHESTMODSEQ) != 0)
        run->client->condstore = true;
}

int imap_do_status(struct task *task, struct run *run)
{
    struct vault_mailbox mailbox;
    int result = takein_wait(task, run->session);
    if (result < 0 || !run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, &result))
        return result;
    buf_append_text(&run->client->out, "* STATUS ");
    run_write_mailbox(run, &run->client->out, run->command->mailbox);
    buf_append_byte(&run->client->out, ' ');
    status_write(run, &mailbox, run->command->status.items);
    buf_append_text(&run->client->out, "\r\n");
    return run_ok(run, "Done");
}
