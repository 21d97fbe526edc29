#include "base/log.h"
#include "role/keeper/admin.h"
#include "role/keeper/keeper-state.h"

static void on_gone(void *arg, uint64_t account, enum admin_gone how)
{
    struct keeper *keeper = arg;
    struct ipc_message message = {.type = IPC_account_gone,
                                  .account_gone = {.account = account, .destroy = how == ADMIN_DESTROYED ? 1 : 0}};
    int result = channel_send(wiring_supervisor(keeper->wiring), &message);
    if (result != 0)
        log_error("keeper.account.not_told", F_FAULT(result));
}

static void on_quota(void *arg, uint64_t account, uint64_t quota)
{
    struct keeper *keeper = arg;
    struct ipc_message message = {.type = IPC_quota, .quota = {.account = account, .quota = quota}};
    int result = channel_send(wiring_supervisor(keeper->wiring), &message);
    if (result != 0) /* a session that is open has it from its next login on */
        log_error("keeper.quota.not_told", F_FAULT(result));
}

static int on_open(void *arg, struct task *task, const struct auth_opened *opened, span_t command, int *ret_fd)
{
    const struct keeper_handoff handoff = {SERVICE_TOOL, command, SPAN("command line")};
    return keeper_open_session(task, arg, opened, &handoff, ret_fd);
}

void keeper_admin(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    const struct ipc_admin *asked = &request->message->admin;
    const struct admin admin = {.auth = &keeper->auth,
                                .reports = keeper->reports,
                                .spending = keeper->spending,
                                .limits = keeper_limit_defaults(keeper),
                                .gone = on_gone,
                                .quota = on_quota,
                                .arg = keeper,
                                .open = on_open,
                                .after = asked->after};
    struct admin_reply done;
    admin_reply_init(&done);
    admin_run(task, &admin, asked->words, asked->input, &done);
    domainkeys_let_go(keeper->signing); /* behind it: it may have waited, while others signed */
    if (asked->input.len > 0)           /* passwords, in the message's own block */
        secret_wipe((void *)(uintptr_t)asked->input.at, asked->input.len);
    struct ipc_message reply = {.type = IPC_admin_done,
                                .admin_done = {.status = done.status,
                                               .output = buf_span(&done.output),
                                               .error = buf_span(&done.error),
                                               .next = buf_span(&done.next)}};
    if (done.fd >= 0) {
        reply.fd_count = 1;
        reply.fds[0] = TAKE_FD(done.fd);
    }
    keeper_reply(request, &reply);
    admin_reply_deinit(&done);
}
