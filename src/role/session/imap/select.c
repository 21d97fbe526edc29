#include <stdlib.h>

#include "role/session/imap/imap.h"
#include "role/session/imap/resync.h"
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
    if (mailbox->unseen == 0 || view->uid_only)
        return 0;
    int result = vault_member_scan(run->vault, view->mailbox, VAULT_RANGE_ALL, first_unseen, &uid);
    if (result < 0)
        return result;
    size_t at = view_find(view, uid);
    if (uid != 0 && at < view_count(view))
        buf_append_format(&run->client->out, "* OK [UNSEEN %zu] First unseen\r\n", at + 1);
    return 0;
}

static int write_state(struct run *run, const struct vault_mailbox *mailbox)
{
    struct client *client = run->client;
    struct view *view = client->view;
    view_write_flags(view, &client->out);
    view_write_counts(view, &client->out);
    int result = view->rev2 ? 0 : write_unseen(run, mailbox);
    if (result < 0)
        return result;
    buf_append_format(&client->out, "* OK [UIDVALIDITY %u] UIDs valid\r\n* OK [UIDNEXT %u] Next UID\r\n",
                      mailbox->uidvalidity, mailbox->uidnext);
    /* RFC 7162 §3.1.2.1: said whether CONDSTORE is on or not. */
    buf_append_format(&client->out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
                      (unsigned long long)mailbox->highest_modseq);
    buf_append_format(&client->out, "* OK [MAILBOXID (" IMAP_MAILBOX_ID ")] Its id\r\n",
                      (unsigned long long)mailbox->id); /* RFC 8474 §4.2 */
    /* RFC 9051 §6.3.2: its name is said, too. */
    return view->rev2 ? list_write_one(run, run->command->mailbox, SPAN_NONE) : buf_fault(&client->out);
}

/* RFC 9051 §6.3.2: `* CLOSED` in a code, between what is said of the mailbox that was selected and of the next one. */
static void leave(struct run *run)
{
    struct client *client = run->client;
    if (client->view == NULL)
        return;
    client_leave(client);
    if (run_is_enabled(run, IMAP_ENABLE_QRESYNC) || run_is_enabled(run, IMAP_ENABLE_REV2))
        imap_write_status(&client->out, SPAN("*"), "OK", "[CLOSED] Previous mailbox is closed");
}

static int select_mailbox(struct task *task, struct run *run, struct vault_mailbox *mailbox, bool read_only)
{
    struct client *client = run->client;
    struct view *view = NULL;
    int result = view_new(run->session, mailbox->id, read_only, &view);
    if (result != 0)
        return result < 0 ? result : run_refuse(run, VAULT_NOT_FOUND);
    client->view = view;
    run_dress_view(run, view);
    result = write_state(run, mailbox);
    if (result == 0 && run->command->select.resync)
        result = resync_select(task, run, mailbox);
    if (result < 0) {
        client_leave(client);
        return result;
    }
    return run_ok(run, read_only ? "[READ-ONLY] Selected" : "[READ-WRITE] Selected");
}

/* RFC 3501 §6.3.1: whatever comes of it, what was selected before is not any more. */
int imap_do_select(struct task *task, struct run *run)
{
    struct client *client = run->client;
    if (run->command->select.resync && !run_is_enabled(run, IMAP_ENABLE_QRESYNC))
        return run_bad(run, "ENABLE QRESYNC first"); /* RFC 7162 §3.2.5 */
    leave(run);
    struct vault_mailbox mailbox;
    int result = takein_wait(task, run->session);
    if (result < 0 || !run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, &result))
        return result;
    /* Its name is not valid beyond the next call. */
    span_t name = SPAN_NONE;
    result = arena_copy(run->arena, span_of_text(mailbox.name), &name);
    if (result < 0)
        return result;
    run->command->mailbox = name;
    if (run->command->select.condstore || run->command->select.resync)
        client->condstore = true;
    return select_mailbox(task, run, &mailbox, run->command->verb == IMAP_EXAMINE);
}

/*
 * RFC 7162 §3.2.8. What others have changed is not told any more, so the client must ask for it next time: it gets the
 * MODSEQ after the expunge only where it knows everything else up to that.
 */
static int close_telling(struct task *task, struct run *run)
{
    struct view *view = run->client->view;
    struct vault_range all = VAULT_RANGE_ALL;
    struct vault_mailbox before;
    uint64_t changes = run->session->changes;
    uint64_t known = view->flags_seen < view->expunged_seen ? view->flags_seen : view->expunged_seen;
    int result = vault_mailbox_get(run->vault, view->mailbox, &before);
    if (result == 0)
        result = run_expunge(task, run, &all, 1);
    if (result != 0)
        return result < 0 ? result : run_ok(run, "Closed");
    if (before.highest_modseq == known && run->session->changes - changes <= 1)
        return run_ok_modseq(run, view->mailbox, "Closed");
    return run_is_enabled(run, IMAP_ENABLE_QRESYNC) ? run_say_modseq(run, known, "Closed") : run_ok(run, "Closed");
}

/* RFC 3501 §6.4.2: expunges without telling, unless read-only. */
int imap_do_close(struct task *task, struct run *run)
{
    const struct view *view = run->client->view;
    int result = view->read_only || view->is_gone ? run_ok(run, "Closed") : close_telling(task, run);
    client_leave(run->client);
    return result;
}

int imap_do_unselect(struct task *task, struct run *run)
{
    (void)task;
    client_leave(run->client);
    return run_ok(run, "Unselected");
}
