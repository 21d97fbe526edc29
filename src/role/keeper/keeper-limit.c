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
        result = spending_new(&keeper->spending);
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

struct spending_limits keeper_limit_defaults(const struct keeper *keeper)
{
    const struct conf *conf = keeper->start->conf;
    return (struct spending_limits){.per_hour = {[SPENDING_RECIPIENTS] = conf->smtp_recipients_per_hour,
                                                 [SPENDING_MESSAGES] = conf->smtp_messages_per_hour}};
}

static struct spending_limits limits_of(const struct keeper *keeper, uint64_t id)
{
    struct account account;
    const struct spending_limits defaults = keeper_limit_defaults(keeper);
    int result = directory_account_get(keeper->directory, id, &account);
    if (result < 0)
        log_error("keeper.spend.unlimited", F_FAULT(result));
    return result == DIRECTORY_OK ? spending_limits_of(&account.limits, &defaults) : defaults;
}

void keeper_spend(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    const struct ipc_spend *spend = &request->message->spend;
    const struct spending_limits limits = limits_of(keeper, spend->account);
    struct spending_refusal refusal = {0};
    int result = spending_take(keeper->spending, spend->account, envelope_rows_leaving(spend->remote), now_seconds(),
                               &limits, &refusal);
    if (result < 0)
        log_error("keeper.spend.failed", F_FAULT(result));
    if (result > 0)
        log_warn("account.sends.much", F_U64("account", spend->account),
                 F_TEXT("limit", result == SPEND_MESSAGES ? "messages_per_hour" : "recipients_per_hour"),
                 F_U64("per_hour", refusal.per_hour));
    else
        keeper_conduct_sent(keeper, spend->account, spend->remote);
    struct ipc_message reply = {
        .type = IPC_spend_done,
        .spend_done = {.outcome = refusal.why, .per_hour = refusal.per_hour, .wait = (uint64_t)refusal.wait}};
    keeper_reply(request, &reply);
}
