#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "role/keeper/keeper-state.h"
#include "role/start.h"

/* What comes from outside is counted here for all gates together. A fault keeps nobody's mail waiting. */

static struct visitor_rates rates_of(const struct conf *conf)
{
    return (struct visitor_rates){
        .connections = conf->filter_connections_per_hour,
        .messages = conf->filter_messages_per_hour,
        .sender_messages = conf->filter_sender_messages_per_hour,
        .recipients = conf->filter_recipients_per_hour,
        .unknown = conf->filter_unknown_per_hour,
    };
}

static int64_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

void keeper_visit(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    const struct visitor_rates rates = rates_of(keeper->start->conf);
    const span_t client = request->message->visit.client;
    bool is_known = false;
    int result = visitors_connect(keeper->visitors, now_seconds(), &rates, client, &is_known);
    if (result < 0)
        log_error("keeper.visit.failed", F_FAULT(result));
    struct ipc_message reply = {
        .type = IPC_visit_done,
        .visit_done = {.outcome = result == VISITOR_WAIT ? VISIT_WAIT : VISIT_WELCOME, .is_known = is_known},
    };
    keeper_reply(request, &reply);
}

void keeper_vouch(struct keeper *keeper, span_t client)
{
    int result = visitors_vouch(keeper->visitors, now_seconds(), client);
    if (result < 0)
        log_error("keeper.visit.failed", F_FAULT(result));
}

int keeper_count_recipient(struct keeper *keeper, const struct ipc_resolve *resolve, int outcome)
{
    const struct visitor_rates rates = rates_of(keeper->start->conf);
    const struct visitor_recipient recipient = {
        .client = resolve->client,
        .sender = resolve->sender,
        .is_first = resolve->is_first != 0,
        .is_unknown = outcome == RESOLVE_UNKNOWN || outcome == RESOLVE_REMOTE, /* whoever tries to relay guesses, too */
    };
    int result = visitors_recipient(keeper->visitors, now_seconds(), &rates, &recipient);
    if (result < 0)
        log_error("keeper.visit.failed", F_FAULT(result));
    return result == VISITOR_WAIT ? (int)RESOLVE_WAIT : outcome;
}
