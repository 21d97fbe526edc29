#include "role/session/imap/imap.h"
#include "role/session/imap/slice.h"

#define SLICE 10000U

static int expunge_ranges(struct run *run, const struct vault_range *ranges, size_t count)
{
    uint64_t mailbox = run->client->view->mailbox;
    int result = run_begin(run);
    if (result < 0)
        return result;
    return run_end(run, vault_member_expunge(run->vault, mailbox, ranges, count, VAULT_EXPUNGE_DELETED, NULL, NULL));
}

int run_expunge(struct task *task, struct run *run, struct vault_range *ranges, size_t count)
{
    struct vault_mailbox mailbox;
    struct slicer slicer;
    int result = vault_mailbox_get(run->vault, run->client->view->mailbox, &mailbox);
    slicer_init(&slicer, run->client->view, ranges, result == 0 ? count : 0);
    while (result == 0 && mailbox.deleted > 0 && !slicer_is_done(&slicer)) {
        const struct vault_range *some = NULL;
        size_t some_count = slicer_next(&slicer, SLICE, &some);
        result = expunge_ranges(run, some, some_count);
        if (result == 0)
            result = vault_mailbox_get(run->vault, run->client->view->mailbox, &mailbox);
        if (result == 0 && !slicer_is_done(&slicer))
            result = run_progress(task, run, 0, 0);
        if (result == 0 && !slicer_is_done(&slicer))
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
