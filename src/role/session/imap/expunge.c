#include "role/session/imap/imap.h"

/* RFC 3501 §6.4.3, RFC 4315 §2.1: the view tells the EXPUNGE responses, here as to everybody else. */
int imap_do_expunge(struct task *task, struct run *run)
{
    (void)task;
    struct view *view = run->client->view;
    if (view->read_only)
        return run_no(run, "[READ-ONLY] The mailbox is open for reading only");
    struct vault_range all = VAULT_RANGE_ALL;
    struct vault_range *ranges = &all;
    size_t count = 1;
    int result = 0;
    if (run->command->expunge.with_set && !run_ranges(run, &ranges, &count, &result))
        return result;
    result = run_begin(run);
    if (result < 0)
        return result;
    result =
        run_end(run, vault_member_expunge(run->vault, view->mailbox, ranges, count, VAULT_EXPUNGE_DELETED, NULL, NULL));
    return result < 0 ? result : result > 0 ? run_refuse(run, result) : run_ok(run, "Expunged");
}
