#include "role/session/imap/imap.h"
#include "role/session/takein.h"

static int first_unseen(void *arg, const struct vault_member *member)
{
    uint32_t *uid = arg;
    if ((member->flags & VAULT_SEEN) != 0)
        return 0;
    *uid = member->uid;
    return VAULT_EXISTS; /* ends the walk */
}

static int write_unseen(struct run *run, const struct vault_mailbox *mailbox)
{
    uint32_t uid = 0;
    struct view *view = run->client->view;
    if (mailbox->unseen == 0)
        return 0;
    int result = vault_member_scan(run->vault, view->mailbox, VAULT_RANGE_ALL, first_unseen, &uid);
    if (result < 0)
        return result;
    size_t at = view_find(view, uid);
    if (uid != 0 && at < view->count)
        buf_append_format(&run->client->out, "* OK [UNSEEN %zu] First unseen\r\n", at + 1);
    return 0;
}

static int write_state(struct run *run, const struct vault_mailbox *mailbox)
{
    struct client *client = run->client;
    struct view *view = client->view;
    view_write_flags(view, &client->out);
    buf_append_format(&client->out, "* %zu EXISTS\r\n* %zu RECENT\r\n", view->count, view_count_recent(view));
    int result = write_unseen(run, mailbox);
    if (result < 0)
        return result;
    buf_append_format(&client->out, "* OK [UIDVALIDITY %u] UIDs valid\r\n* OK [UIDNEXT %u] Next UID\r\n",
                      mailbox->uidvalidity, mailbox->uidnext);
    /* RFC 7162 §3.1.2.1: said whether CONDSTORE is on or not. */
    buf_append_format(&client->out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
                      (unsigned long long)mailbox->highest_modseq);
    return 0;
}

/* RFC 3501 §6.3.1: whatever comes of it, what was selected before is not any more. */
int imap_do_select(struct task *task, struct run *run)
{
    struct client *client = run->client;
    bool read_only = run->command->verb == IMAP_EXAMINE;
    view_free(TAKE(client->view));
    struct vault_mailbox mailbox;
    int result = 0;
    result = takein_wait(task, run->session);
    if (result < 0 || !run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, &result))
        return result;
    mailbox.name = NULL; /* not valid beyond the next call */
    if (run->command->select.condstore)
        client->condstore = true;
    struct view *view = NULL;
    result = view_new(run->session, mailbox.id, read_only, &view);
    if (result != 0)
        return result < 0 ? result : run_refuse(run, VAULT_NOT_FOUND);
    client->view = view;
    result = write_state(run, &mailbox);
    if (result < 0) {
        view_free(TAKE(client->view));
        return result;
    }
    return run_ok(run, read_only ? "[READ-ONLY] Selected" : "[READ-WRITE] Selected");
}

/* RFC 3501 §6.4.2: expunges without telling, unless read-only. */
int imap_do_close(struct task *task, struct run *run)
{
    struct view *view = run->client->view;
    int result = 0;
    if (!view->read_only && !view->is_gone) {
        struct vault_range all = VAULT_RANGE_ALL;
        result = run_expunge(task, run, &all, 1);
    }
    view_free(TAKE(run->client->view));
    return result < 0 ? result : run_ok(run, "Closed");
}

int imap_do_unselect(struct task *task, struct run *run)
{
    (void)task;
    view_free(TAKE(run->client->view));
    return run_ok(run, "Unselected");
}
