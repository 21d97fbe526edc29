#include "role/intake/filter.h"

#include <arpa/inet.h>
#include <string.h>

#include "conf/conf.h"
#include "fetch/url.h"

#define URL_MEMORY 65536U

void filter_advise(struct filter_opinion *opinion, enum filter_advice advice, span_t reply)
{
    static const unsigned weights[] = {[FILTER_ACCEPT] = 0, [FILTER_JUNK] = 1, [FILTER_LATER] = 2, [FILTER_REFUSE] = 3};
    if (weights[advice] > weights[opinion->own])
        opinion->own = advice;
    if (weights[advice] < weights[opinion->advice])
        return;
    opinion->advice = advice;
    opinion->reply = reply;
}

bool filter_is_from_outside(const struct conf *conf, const struct ipc_deliver *envelope, struct ip *ret_client)
{
    return (envelope->flags & DELIVER_SUBMISSION) == 0 && ip_parse(envelope->client, ret_client) &&
           !intake_is_local(conf, ret_client);
}

bool filter_concerns_outside(const struct conf *conf, const struct filter_letter *letter)
{
    struct ip client;
    return filter_is_from_outside(conf, letter->envelope, &client);
}

static bool rspamd_port(const struct conf *conf, uint16_t *ret_port)
{
    AUTO(arena) struct arena *arena = NULL;
    struct url url;
    *ret_port = FILTER_RSPAMD_AUTO_PORT;
    if (filter_choice_of(conf->filter_rspamd) != FILTER_CHOSEN_ON)
        return filter_choice_of(conf->filter_rspamd) == FILTER_CHOSEN_AUTO;
    if (arena_new(URL_MEMORY, &arena) != 0 || url_parse(span_of_text(conf->filter_rspamd), arena, &url) != 0)
        return false;
    *ret_port = url.port;
    return true;
}

size_t filter_ports(const struct conf *conf, uint16_t ret_ports[FILTER_PORTS_MAX])
{
    struct address address;
    size_t count = 0;
    if (rspamd_port(conf, &ret_ports[count]))
        count++;
    if (filter_clamd_address(conf, &address))
        ret_ports[count++] = ntohs(address.four.sin_port); /* at the same place in both kinds */
    return count;
}

/* Cheap questions first; and what clamd refuses, rspamd need not see. */
static const struct {
    enum filter_kind kind;
    filter_concerns *concerns;
    filter_asker *ask;
    bool may_hold; /* what [filter] when_down says is for it */
} filters[] = {
    {FILTER_DNSBL, filter_concerns_outside, filter_ask_dnsbl, false},
    {FILTER_GREYLIST, filter_concerns_outside, filter_ask_greylist, false},
    {FILTER_CLAMD, filter_concerns_clamd, filter_ask_clamd, true},
    {FILTER_RSPAMD, filter_concerns_rspamd, filter_ask_rspamd, true},
};

/* 0, FILTER_SILENT or a fault. */
static int ask_one(struct task *task, struct intake *intake, size_t which, const struct filter_letter *letter,
                   struct filter_opinion *opinion)
{
    char reason[FILTER_REASON_MAX] = "";
    const enum filter_kind kind = filters[which].kind;
    int ready =
        filters[which].concerns(intake->start->conf, letter) ? filter_ready(task, intake, kind) : (int)FILTER_PASS_BY;
    if (ready != FILTER_GO)
        return ready == FILTER_PASS_BY ? 0 : ready == FILTER_AWAY ? FILTER_SILENT : ready;
    const int64_t since = filter_clock();
    opinion->own = FILTER_ACCEPT;
    int result = filters[which].ask(task, intake, letter, opinion, reason);
    if (result == 0)
        filter_heard(intake, kind, opinion->own, since);
    else if (result == FILTER_SILENT)
        filter_unheard(intake, kind, reason, since);
    return result;
}

/* Whether another word could still change what becomes of the message now. */
static bool is_open(const struct filter_opinion *opinion)
{
    return opinion->advice == FILTER_ACCEPT || opinion->advice == FILTER_JUNK;
}

int filter_ask(struct task *task, struct intake *intake, const struct filter_letter *letter,
               struct filter_opinion *opinion)
{
    const struct conf *conf = intake->start->conf;
    for (size_t at = 0; at < COUNT_OF(filters) && is_open(opinion); at++) {
        int result = ask_one(task, intake, at, letter, opinion);
        if (result < 0)
            return result;
        if (result == FILTER_SILENT && filters[at].may_hold && strcmp(conf->filter_when_down, "defer") == 0)
            filter_advise(opinion, FILTER_LATER, SPAN("A filter is not at work now; please try again later"));
    }
    return 0;
}
