#include "role/session/imap/imap.h"

/*
 * Messages are expunged so many at a time, each time in a transaction of their own, and in between the account's other
 * connections are served: a hundred thousand take a second and more.
 */
#define SLICE 1000U

struct expunge {
    struct run *run;
    struct vault_range *ranges; /* those still to be done; the first may have begun */
    size_t count;
};

static size_t messages_in(const struct view *view, struct vault_range range)
{
    size_t end = range.last == UINT32_MAX ? view_count(view) : view_find(view, range.last + 1);
    size_t first = view_find(view, range.first);
    return end > first ? end - first : 0;
}

static int expunge_ranges(struct run *run, const struct vault_range *ranges, size_t count)
{
    uint64_t mailbox = run->client->view->mailbox;
    int result = run_begin(run);
    if (result < 0)
        return result;
    return run_end(run, vault_member_expunge(run->vault, mailbox, ranges, count, VAULT_EXPUNGE_DELETED, NULL, NULL));
}

/* As many ranges as a slice has room for; one that is too long is cut where the slice ends. */
static int expunge_slice(struct expunge *expunge)
{
    const struct view *view = expunge->run->client->view;
    struct vault_range *ranges = expunge->ranges;
    size_t left = SLICE;
    size_t whole = 0;
    while (whole < expunge->count && messages_in(view, ranges[whole]) <= left)
        left -= messages_in(view, ranges[whole++]);
    struct vault_range rest = {0};
    bool is_cut = whole < expunge->count && left > 0;
    if (is_cut) {
        uint32_t next = view_uid(view, view_find(view, ranges[whole].first) + left);
        rest = (struct vault_range){next, ranges[whole].last};
        ranges[whole].last = next - 1;
    }
    int result = expunge_ranges(expunge->run, ranges, whole + is_cut);
    if (is_cut)
        ranges[whole] = rest;
    expunge->ranges += whole;
    expunge->count -= whole;
    return result;
}

int run_expunge(struct task *task, struct run *run, struct vault_range *ranges, size_t count)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_get(run->vault, run->client->view->mailbox, &mailbox);
    struct expunge expunge = {.run = run, .ranges = ranges, .count = result == 0 && mailbox.deleted > 0 ? count : 0};
    while (result == 0 && expunge.count > 0) {
        result = expunge_slice(&expunge);
        if (result == 0 && expunge.count > 0)
            result = run_progress(task, run, 0, 0);
        if (result == 0 && expunge.count > 0)
            result = task_yield(task);
    }
    return result;
}

/* RFC 3501 §6.4.3, RFC 4315 §2.1: the view tells the EXPUNGE responses, here as to everybody else. */
int imap_do_expunge(struct task *task, struct run *run)
{
    struct view *view = run->client->view;
    if (view->read_only)
        return run_no(run, "[READ-ONLY] The mailbox is open for reading only");
    struct vault_range all = VAULT_RANGE_ALL;
    struct vault_range *ranges = &all;
    size_t count = 1;
    int result = 0;
    if (run->command->expunge.with_set && !run_ranges(run, &ranges, &count, &result))
        return result;
    result = run_expunge(task, run, ranges, count);
    return result < 0 ? result : result > 0 ? run_refuse(run, result) : run_ok_modseq(run, view->mailbox, "Expunged");
}
