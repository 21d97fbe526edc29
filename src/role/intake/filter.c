#include "role/intake/filter.h"

#include <arpa/inet.h>
#include <string.h>

#include "conf/conf.h"
#include "fetch/url.h"

#define URL_MEMORY 65536U

void filter_advise(struct filter_opinion *opinion, enum filter_advice advice, span_t reply)
{
    static const unsigned weights[] = {[FILTER_ACCEPT] = 0, [FILTER_JUNK] = 1, [FILTER_LATER] = 2, [FILTER_REFUSE] = 3};
    if (weights[advice] < weights[opinion->advice])
        return;
    opinion->advice = advice;
    opinion->reply = reply;
}

bool filter_is_set(const struct conf *conf)
{
    return conf->filter_rspamd[0] != 0 || conf->filter_clamd[0] != 0 || conf->filter_dnsbl[0] != 0 ||
           strcmp(conf->filter_greylist, "on") == 0;
}

bool filter_is_from_outside(const struct conf *conf, const struct ipc_deliver *envelope, struct ip *ret_client)
{
    return (envelope->flags & DELIVER_SUBMISSION) == 0 && ip_parse(envelope->client, ret_client) &&
           !intake_is_local(conf, ret_client);
}

static bool rspamd_port(const struct conf *conf, uint16_t *ret_port)
{
    AUTO(arena) struct arena *arena = NULL;
    struct url url;
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

/* Whether another word could still change what becomes of the message now. */
static bool is_open(const struct filter_opinion *opinion)
{
    return opinion->advice == FILTER_ACCEPT || opinion->advice == FILTER_JUNK;
}

int filter_ask(struct task *task, struct intake *intake, const struct filter_letter *letter,
               struct filter_opinion *opinion)
{
    static int (*const filters[])(struct task *, struct intake *, const struct filter_letter *,
                                  struct filter_opinion *) = {filter_ask_dnsbl, filter_ask_greylist, filter_ask_clamd,
                                                              filter_ask_rspamd};
    const struct conf *conf = intake->start->conf;
    for (size_t at = 0; at < COUNT_OF(filters) && is_open(opinion); at++) {
        int result = filters[at](task, intake, letter, opinion);
        if (result < 0)
            return result;
        if (result == FILTER_DOWN && strcmp(conf->filter_when_down, "defer") == 0)
            filter_advise(opinion, FILTER_LATER, SPAN("A filter is not at work now; please try again later"));
    }
    return 0;
}
