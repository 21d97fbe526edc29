#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "crypto/secret.h"
#include "ipc/envelope.h"
#include "role/keeper/keeper-state.h"
#include "role/start.h"

/* What is counted across all intakes is counted here. A fault keeps nobody's mail waiting. */

int keeper_limit_begin(struct keeper *keeper)
{
    uint8_t key[16];
    random_bytes(key, sizeof(key));
    random_bytes(keeper->forwards_key, sizeof(keeper->forwards_key));
    int result = greylist_new(key, &keeper->greylist);
    if (result == 0)
        result = allowance_new(&keeper->forwards);
    if (result == 0)
        result = allowance_new(&keeper->allowance);
    return result == 0 ? visitors_new(key, &keeper->visitors) : result;
}

static int64_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

void keeper_greylist(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    int result = greylist_ask(keeper->greylist, request->message->greylist.key, now_seconds(),
                              (int64_t)keeper->start->conf->filter_greylist_delay);
    if (result < 0)
        log_error("keeper.greylist.failed", F_FAULT(result));
    struct ipc_message reply = {.type = IPC_greylist_done, .greylist_done = {.waits = result == GREYLIST_WAIT}};
    keeper_reply(request, &reply);
}

void keeper_spend(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    const struct ipc_spend *spend = &request->message->spend;
    uint64_t per_hour = keeper->start->conf->smtp_recipients_per_hour;
    int result = per_hour == 0 ? (int)ALLOWANCE_GRANTED
                               : allowance_take(keeper->allowance, spend->account, envelope_rows_leaving(spend->remote),
                                                now_seconds(), per_hour);
    if (result == ALLOWANCE_USED_UP)
        log_warn("account.sends.much", F_U64("account", spend->account), F_U64("recipients_per_hour", per_hour));
    if (result < 0)
        log_error("keeper.spend.failed", F_FAULT(result));
    if (result != ALLOWANCE_USED_UP)
        keeper_conduct_sent(keeper, spend->account, spend->remote);
    struct ipc_message reply = {.type = IPC_spend_done, .spend_done = {.granted = result != ALLOWANCE_USED_UP}};
    keeper_reply(request, &reply);
}
