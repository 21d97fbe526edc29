#include "base/log.h"
#include "role/session/session.h"
#include "vault/mailbox.h"

/*
 * Nobody but its session knows how much an account holds, so keeper, who is asked where mail may go, is told: what it
 * knows of a closed account is how that was when it was open last. What has arrived since then counts once it is taken
 * in.
 */
static int is_full(const struct session *session)
{
    uint64_t count = 0;
    uint64_t bytes = 0;
    if (session->quota == 0)
        return 0;
    int result = vault_mailbox_usage(session->vault, &count, &bytes);
    return result < 0 ? result : bytes >= session->quota;
}

void quota_report(struct session *session)
{
    if (session->vault == NULL || (session->quota == 0 && session->said_full == 0))
        return;
    int now = is_full(session);
    if (now < 0 || now == session->said_full)
        return;
    struct ipc_message message = {.type = IPC_full, .full = {.is_full = (uint32_t)now}};
    int result = channel_send(wiring_supervisor(session->wiring), &message);
    if (result < 0)
        log_warn("session.full.unsaid", F_FAULT(result));
    else
        session->said_full = now;
}

void quota_change(struct session *session, uint64_t quota)
{
    session->quota = quota;
    session->said_full = -1; /* keeper knows of more quota than before, and no more whether that is full */
    quota_report(session);
}
