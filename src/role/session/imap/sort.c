#include "role/session/imap/search.h"

int imap_do_sort(struct task *task, struct run *run)
{
    (void)task;
    return run_no(run, "[CANNOT] not yet");
}

int imap_do_thread(struct task *task, struct run *run)
{
    (void)task;
    return run_no(run, "[CANNOT] not yet");
}
