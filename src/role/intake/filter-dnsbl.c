#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "role/intake/filter.h"
#include "trust/dnsbl/dnsbl.h"

#define QUESTIONS_MAX 32U /* two a list */
#define ZONE_MAX 254U

static int refuse(span_t client, const char *zone, span_t words, struct arena *arena, struct filter_opinion *opinion)
{
    AUTO_BUF struct buf text;
    span_t reply = SPAN_NONE;
    buf_init(&text, 512);
    (void)buf_append_format(&text, "%.*s is listed by %s", SPAN_PRINT(span_upto(client, 64)), zone);
    if (words.len > 0)
        (void)buf_append_format(&text, ": %.*s", SPAN_PRINT(words));
    int result = buf_fault(&text) != 0 ? buf_fault(&text) : arena_copy(arena, buf_span(&text), &reply);
    if (result == 0)
        filter_advise(opinion, FILTER_REFUSE, reply);
    return result;
}

int filter_ask_dnsbl(struct task *task, struct intake *intake, const struct filter_letter *letter,
                     struct filter_opinion *opinion, char reason[FILTER_REASON_MAX])
{
    const struct conf *conf = intake->start->conf;
    span_t rest = span_of_text(conf->filter_dnsbl);
    struct resolver_job job;
    struct ip client;
    if (!ip_parse(letter->envelope->client, &client))
        return 0;
    resolver_job_init(&job, intake->resolver, task, QUESTIONS_MAX, (int64_t)conf->filter_timeout * 1000);
    const struct dns_lookup lookup = resolver_lookup(&job);
    for (span_t word; conf_next_word(&rest, &word);) {
        char zone[ZONE_MAX];
        span_t words;
        if (word.len >= sizeof(zone))
            continue;
        memcpy(zone, word.at, word.len);
        zone[word.len] = 0;
        int result = dnsbl_ask(&lookup, zone, &client, letter->arena, &words);
        if (result == DNSBL_UNKNOWN)
            (void)snprintf(reason, FILTER_REASON_MAX, "%.100s gives no answer", zone);
        if (result == DNSBL_LISTED)
            return refuse(letter->envelope->client, zone, words, letter->arena, opinion);
        if (result < 0)
            return result;
    }
    return reason[0] == '\0' ? 0 : FILTER_SILENT;
}
