#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/supervisor/state.h"

#define ACCOUNTS_MAX (1U << 20) /* bytes of the list; what does not fit has its turn after the next start */
#define RETRY_MS 30000

struct forget_job {
    struct supervisor *supervisor;
    uint64_t account;
};

static int tell_store(struct task *task, const struct forget_job *job)
{
    const struct child *store = child_find(job->supervisor, ROLE_STORE, 0);
    struct ipc_message request = {.type = IPC_forget, .forget = {.account = job->account}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    if (store == NULL || store->channel == NULL || !store->is_ready)
        return -EPIPE;
    int result = channel_call(task, store->channel, &request, &reply);
    return result < 0 ? result : -(int)reply->done.outcome;
}

static int forget(struct task *task, const struct forget_job *job)
{
    const char *data = job->supervisor->data;
    int result = erase_vault(data, job->account);
    if (result == 0)
        result = tell_store(task, job);
    return result == 0 ? erase_unmark(data, job->account) : result;
}

/* Where store is away, forget_rest() comes back to it. */
static void forget_task(struct task *task, void *arg)
{
    AUTO_FREE struct forget_job *job = arg;
    for (;;) {
        int result = forget(task, job);
        if (result == 0 || result == -ECANCELED)
            return;
        log_warn("account.forget.failed", F_FAULT(result));
        if (result == -EPIPE || task_sleep(task, RETRY_MS) < 0)
            return;
    }
}

void forget_account(struct supervisor *supervisor, uint64_t account)
{
    AUTO_FREE struct forget_job *job = mem_new(sizeof(*job));
    int result = job == NULL ? -ENOMEM : 0;
    if (result == 0) {
        *job = (struct forget_job){supervisor, account};
        result = task_group_spawn(&supervisor->tasks, supervisor->loop, "forget", forget_task, job);
    }
    if (result == 0)
        (void)TAKE(job);
    else
        log_error("account.forget.failed", F_FAULT(result));
}

void forget_rest(struct supervisor *supervisor)
{
    AUTO_BUF struct buf accounts;
    buf_init(&accounts, ACCOUNTS_MAX);
    int result = erase_list(supervisor->data, &accounts);
    if (result < 0)
        log_error("account.forget.failed", F_FAULT(result));
    span_t rest = buf_span(&accounts);
    for (; rest.len >= 8; rest = span_from(rest, 8)) {
        uint64_t account = bytes_get_u64(rest.at);
        if (map_get(supervisor->sessions, account) == NULL) /* else its end comes first */
            forget_account(supervisor, account);
    }
}
