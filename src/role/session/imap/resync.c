#include "role/session/imap/resync.h"

#include <errno.h>

#include "role/session/flags.h"

struct vanished {
    struct imap_set_writer writer;
    struct buf set;
};

static int note(void *arg, uint32_t uid, uint64_t modseq)
{
    (void)modseq;
    struct vanished *vanished = arg;
    imap_set_writer_add(&vanished->writer, uid);
    return buf_fault(&vanished->set);
}

static int find_vanished(struct run *run, const struct imap_set *set, uint64_t since, struct vanished *vanished)
{
    uint64_t mailbox = run->client->view->mailbox;
    for (size_t i = 0; i < set->count; i++) {
        struct vault_range range = {set->ranges[i].first, set->ranges[i].last};
        int result = vault_member_expunged(run->vault, mailbox, range, since, note, vanished);
        if (result != 0)
            return result;
    }
    imap_set_writer_end(&vanished->writer);
    return buf_fault(&vanished->set);
}

/* A copy in order: the command's own is still needed as it is. No ranges stand for all. */
static int fix_set(struct run *run, const struct imap_set *set, struct imap_set *ret_set)
{
    struct vault_mailbox now;
    int result = vault_mailbox_get(run->vault, run->client->view->mailbox, &now);
    if (result != 0)
        return result < 0 ? result : -ENOENT;
    size_t count = set->count > 0 ? set->count : 1;
    struct imap_set fixed = {.ranges = arena_alloc_array(run->arena, count, sizeof(*fixed.ranges)), .count = count};
    if (fixed.ranges == NULL)
        return -ENOMEM;
    fixed.ranges[0] = (struct imap_range){1, IMAP_SET_STAR};
    for (size_t i = 0; i < set->count; i++)
        fixed.ranges[i] = set->ranges[i];
    imap_set_fix(&fixed, now.uidnext - 1);
    *ret_set = fixed;
    return 0;
}

int resync_vanished(struct run *run, const struct imap_set *set, uint64_t since)
{
    struct vanished vanished = {0};
    struct imap_set fixed = {0};
    buf_init(&vanished.set, CLIENT_OUT_MAX / 2);
    imap_set_writer_start(&vanished.writer, &vanished.set);
    int result = fix_set(run, set, &fixed);
    if (result == 0)
        result = find_vanished(run, &fixed, since, &vanished);
    if (result == 0 && buf_len(&vanished.set) > 0) {
        buf_append_text(&run->client->out, "* VANISHED (EARLIER) ");
        buf_append(&run->client->out, buf_span(&vanished.set));
        buf_append_text(&run->client->out, "\r\n");
    }
    buf_deinit(&vanished.set);
    return result < 0 ? result : buf_fault(&run->client->out);
}

#define STEP_FULL 100

struct changed {
    struct run *run;
    const struct imap_set *known;
    uint32_t next;
};

static int write_changed(void *arg, const struct vault_member *member)
{
    struct changed *changed = arg;
    struct view *view = changed->run->client->view;
    struct buf *out = &changed->run->client->out;
    if (buf_len(out) >= CLIENT_OUT_CHUNK) {
        changed->next = member->uid;
        return STEP_FULL;
    }
    size_t number = view_number(view, member->uid);
    if (number == 0 || !imap_set_has(changed->known, member->uid))
        return 0;
    view_begin_fetch(view, number, member->uid, out);
    if (!view->uid_only)
        buf_append_format(out, "UID %u ", member->uid);
    buf_append_text(out, "FLAGS (");
    flags_write(changed->run->vault, member->flags, view_is_recent(view, member->uid), out);
    buf_append_format(out, ") MODSEQ (%llu))\r\n", (unsigned long long)member->modseq);
    return buf_fault(out);
}

static int tell_changed(struct task *task, struct run *run, const struct imap_set *known, uint64_t since)
{
    struct changed changed = {.run = run, .known = known, .next = 1};
    int result = STEP_FULL;
    while (result == STEP_FULL) {
        struct vault_range range = {changed.next, UINT32_MAX};
        result = vault_member_changes(run->vault, run->client->view->mailbox, range, since, write_changed, &changed);
        int sent = result < 0 ? result : client_drain(task, run->client);
        if (sent < 0)
            return sent;
    }
    return 0;
}

int resync_select(struct task *task, struct run *run, const struct vault_mailbox *mailbox)
{
    const struct imap_qresync *asked = &run->command->select.qresync;
    struct imap_set known = {0};
    if (asked->uidvalidity != mailbox->uidvalidity)
        return 0;
    int result = resync_vanished(run, &asked->known, asked->modseq);
    if (result == 0)
        result = fix_set(run, &asked->known, &known);
    return result < 0 ? result : tell_changed(task, run, &known, asked->modseq);
}
