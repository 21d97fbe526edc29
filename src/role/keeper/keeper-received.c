#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "role/keeper/keeper-state.h"
#include "role/start.h"
#include "trust/domain.h"

#define DAY 86400U

/* Whether a domain of ours has the report's for its organizational domain, whose DMARC policy is its own then. */
static int is_below(void *arg, const char *name)
{
    const span_t *domain = arg;
    return span_equal(domain_organizational(span_of_text(name)), *domain) ? 1 : 0;
}

/* 1: one of ours, or below or above one (RFC 7489 §6.6.3: a policy is for what is below it, too); 0: it is not. */
static int is_ours(struct keeper *keeper, span_t domain)
{
    char name[NAME_DOMAIN_MAX + 1];
    int result = name_parse_domain(domain, name);
    if (result != NAME_OK)
        return result < 0 ? result : 0;
    for (const char *at = name; at != NULL; at = strchr(at, '.')) {
        at += *at == '.' ? 1 : 0;
        result = directory_domain_exists(keeper->directory, at);
        if (result != DIRECTORY_NONE)
            return result < 0 ? result : 1;
    }
    span_t whole = span_of_text(name);
    return directory_domain_each(keeper->directory, "", is_below, &whole);
}

static int keep(struct keeper *keeper, const struct ipc_received *said)
{
    const uint64_t now = (uint64_t)time(NULL);
    const uint64_t kept = keeper->start->conf->reports_kept * DAY;
    const struct reports_received received = {.kind = (enum received_kind)said->kind,
                                              .reporter = said->reporter,
                                              .organization = said->organization,
                                              .contact = said->contact,
                                              .report = said->report,
                                              .domain = said->domain,
                                              .first = said->first,
                                              .last = said->last < now ? said->last : now,
                                              .arrived = now,
                                              .rows = said->rows};
    if (keeper->reports == NULL || (said->kind != RECEIVED_DMARC && said->kind != RECEIVED_TLS))
        return -ENOENT;
    int outcome = is_ours(keeper, said->domain);
    if (outcome != 1)
        return outcome < 0 ? outcome : (int)RECEIVED_FOREIGN;
    int result = reports_begin(keeper->reports);
    if (result == 0)
        result = reports_received_trim(keeper->reports, now > kept ? now - kept : 0);
    outcome = result < 0 ? result : reports_receive(keeper->reports, &received);
    if (outcome >= 0)
        result = reports_commit(keeper->reports);
    reports_rollback(keeper->reports);
    return result < 0 ? result : outcome;
}

void keeper_received(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    int outcome = keep(keeper, &request->message->received);
    if (outcome < 0) {
        log_error("keeper.received.failed", F_FAULT(outcome));
        outcome = RECEIVED_UNAVAILABLE;
    }
    struct ipc_message reply = {.type = IPC_received_done, .received_done = {.outcome = (uint32_t)outcome}};
    keeper_reply(request, &reply);
}
