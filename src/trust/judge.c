#include "trust/judge.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

struct judge {
    struct judge_request request;
    struct arena *arena;
    struct dkim_header header;
    struct dkim_body *body;
    struct dkim_verifier *dkim;
    struct arc_chain *arc;
};

void judge_free(struct judge *judge)
{
    if (judge != NULL)
        dkim_body_free(judge->body);
    free(judge);
}

int judge_new(const struct judge_request *request, span_t header, struct arena *arena, struct judge **ret_judge)
{
    AUTO(judge) struct judge *judge = mem_new(sizeof(*judge));
    if (judge == NULL)
        return -ENOMEM;
    *judge = (struct judge){.request = *request, .arena = arena};
    int result = dkim_body_new(&judge->body);
    if (result == 0)
        result = dkim_header_index(header, arena, &judge->header);
    if (result == 0 && request->checks_dkim)
        result = dkim_verifier_new(&judge->header, judge->body, arena, &judge->dkim);
    if (result == 0 && request->checks_dkim)
        result = arc_chain_new(&judge->header, judge->body, arena, &judge->arc);
    if (result != 0)
        return result;
    *ret_judge = TAKE(judge);
    return 0;
}

void judge_body(struct judge *judge, span_t chunk)
{
    dkim_body_add(judge->body, chunk);
}

static int check_client(struct judge *judge, const struct dns_lookup *lookup, struct judgement *judgement)
{
    const struct judge_request *request = &judge->request;
    const struct spf_request spf = {
        .client = request->client,
        .helo = request->helo,
        .sender = request->sender,
        .receiver = request->host,
        .now = request->now,
    };
    int result = 0;
    if (request->checks_iprev)
        result = iprev_check(lookup, &request->client, judge->arena, &judgement->iprev);
    if (result == 0 && request->checks_spf)
        result = spf_check(lookup, &spf, judge->arena, &judgement->spf);
    return result;
}

static int check_signatures(struct judge *judge, const struct dns_lookup *lookup, struct judgement *judgement)
{
    const struct judge_request *request = &judge->request;
    int result = dkim_body_finish(judge->body);
    if (result != 0 || !request->checks_dkim)
        return result;
    result = dkim_verifier_finish(judge->dkim, &judge->header, judge->body, lookup, request->now, judge->arena);
    if (result == 0)
        result = arc_chain_finish(judge->arc, &judge->header, judge->body, lookup, request->now, judge->arena);
    judgement->dkim = judge->dkim;
    judgement->arc = judge->arc;
    return result;
}

int judge_finish(struct judge *judge, const struct dns_lookup *lookup, struct judgement *ret_judgement)
{
    const struct judge_request *request = &judge->request;
    struct judgement judgement = {.spf = {.reason = ""}, .dmarc = {.reason = ""}};
    const struct dmarc_asker asker = {.lookup = lookup, .arena = judge->arena, .edition = request->dmarc_edition};
    struct dmarc_records records = {.count = 0};
    int result = 0;
    if (request->checks_dmarc)
        result = dmarc_ask(&asker, &judge->header, &records);
    if (result == 0)
        result = check_client(judge, lookup, &judgement);
    if (result == 0)
        result = check_signatures(judge, lookup, &judgement);
    if (result == 0 && request->checks_dmarc) {
        const struct dmarc_request dmarc = {
            .spf = request->checks_spf ? &judgement.spf : NULL,
            .dkim = judgement.dkim,
            .sample = request->sample,
        };
        result = dmarc_check(&asker, &records, &dmarc, &judgement.dmarc);
    }
    if (result != 0)
        return result;
    judgement.is_vouched_for = judgement.dmarc.result == DMARC_FAIL && judgement.arc != NULL &&
                               arc_chain_vouches(judgement.arc, request->trusted_sealers);
    *ret_judgement = judgement;
    return 0;
}

static struct authres results_of(const struct judge *judge, const struct judgement *judgement)
{
    const struct judge_request *request = &judge->request;
    return (struct authres){
        .host = request->host,
        .client = &request->client,
        .iprev = request->checks_iprev ? &judgement->iprev : NULL,
        .spf = request->checks_spf ? &judgement->spf : NULL,
        .dkim = judgement->dkim,
        .dmarc = request->checks_dmarc ? &judgement->dmarc : NULL,
        .arc = judgement->arc != NULL && judgement->arc->result != ARC_NONE ? judgement->arc : NULL,
    };
}

int judge_append_results(const struct judge *judge, const struct judgement *judgement, struct buf *text)
{
    const struct authres results = results_of(judge, judgement);
    return authres_append_results(&results, text);
}

int judge_write(const struct judge *judge, const struct judgement *judgement, struct buf *lines)
{
    const struct authres results = results_of(judge, judgement);
    return authres_write(&results, lines);
}
