#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "crypto/secret.h"
#include "mime/header.h"
#include "role/intake/intake-state.h"
#include "trust/domain.h"
#include "trust/judge.h"

#define ARENA_MAX (8U << 20)
#define QUESTIONS_MAX 250U             /* to the DNS, of one message: an ARC chain alone may need fifty */
#define TURN_BYTES ((size_t)256 << 10) /* hashed before others have their turn */

/* What one message's judging has on the stack of its task. */
struct judging {
    struct task *task;
    struct intake *intake;
    struct arena *arena;
    struct judge_request request;
    bool is_local; /* of a client that is not judged: its mail meets no policy */
};

static bool is_on(const char *setting)
{
    return strcmp(setting, "off") != 0;
}

bool intake_is_local(const struct conf *conf, const struct ip *client)
{
    return ip_is_within(client, span_of_text(conf->trust_local));
}

/* For reports a signature is asked for whatever the settings are, and from whatever client they come. */
static void ask_for_author(struct judge_request *request, bool is_local)
{
    request->checks_dkim = true;
    request->checks_dmarc = true;
    if (is_local) {
        request->checks_iprev = false;
        request->checks_spf = false;
    }
}

/* False: there is nothing to find out about this one. */
static bool make_request(const struct intake *intake, const struct ipc_deliver *deliver, struct judging *judging)
{
    struct judge_request *request = &judging->request;
    uint8_t random = 0;
    const struct conf *conf = intake->start->conf;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    random_bytes(&random, sizeof(random));
    *request = (struct judge_request){
        .helo = deliver->helo,
        .sender = deliver->sender,
        .host = span_of_text(conf->server_hostname),
        .now = (uint64_t)now.tv_sec,
        .sample = random * 100U / 256U,
        .checks_iprev = is_on(conf->trust_iprev),
        .checks_spf = is_on(conf->trust_spf),
        .checks_dkim = is_on(conf->trust_dkim),
        .checks_dmarc = is_on(conf->trust_dmarc),
        .dmarc_edition = strcmp(conf->trust_dmarc_edition, "rfc9989") == 0 ? DMARC_RFC9989 : DMARC_RFC7489,
        .trusted_sealers = span_of_text(conf->trust_arc_sealers),
    };
    if ((deliver->flags & DELIVER_SUBMISSION) != 0 || !ip_parse(deliver->client, &request->client))
        return false;
    judging->is_local = intake_is_local(conf, &request->client);
    if (intake_is_for_reports(deliver)) {
        ask_for_author(request, judging->is_local);
        return true;
    }
    return (request->checks_iprev || request->checks_spf || request->checks_dkim || request->checks_dmarc) &&
           !judging->is_local;
}

static int hash_body(struct judging *judging, struct judge *judge, span_t rest)
{
    int result = 0;
    while (result == 0 && rest.len > 0) {
        judge_body(judge, span_upto(rest, TURN_BYTES));
        rest = span_from(rest, TURN_BYTES);
        if (rest.len > 0)
            result = task_yield(judging->task);
    }
    return result;
}

static int find_out(struct judging *judging, struct judge *judge, span_t body, struct judgement *ret_judgement)
{
    const struct conf *conf = judging->intake->start->conf;
    struct resolver_job job;
    int result = hash_body(judging, judge, body);
    if (result != 0)
        return result;
    resolver_job_init(&job, judging->intake->resolver, judging->task, QUESTIONS_MAX,
                      (int64_t)conf->trust_timeout * 1000);
    const struct dns_lookup lookup = resolver_lookup(&job);
    return judge_finish(judge, &lookup, ret_judgement);
}

/* RFC 7489 §10.3: the reply says whose policy it is. */
static void refuse(const struct dmarc_verdict *dmarc, struct intake_judged *judged)
{
    const int len = dmarc->domain.len < DNS_NAME_MAX ? (int)dmarc->domain.len : DNS_NAME_MAX;
    (void)snprintf(judged->refusal, sizeof(judged->refusal),
                   "The DMARC policy of %.*s refuses this: neither SPF nor DKIM shows that it comes from there", len,
                   (const char *)dmarc->domain.at);
}

static void quarantine(const struct dmarc_verdict *dmarc, struct intake_judged *judged)
{
    const int len = dmarc->domain.len < DNS_NAME_MAX ? (int)dmarc->domain.len : DNS_NAME_MAX;
    judged->is_junk = true;
    (void)snprintf(judged->quarantine, sizeof(judged->quarantine),
                   "the DMARC policy of %.*s wants it: neither SPF nor DKIM shows that it comes from there", len,
                   (const char *)dmarc->domain.at);
}

/* RFC 7489 §6.6.1: a From of which no domain can be asked would be the way around every policy. So would be one of more
 * domains than are asked, which nobody needs. */
static int decide_unnamed(const struct dmarc_verdict *dmarc, struct intake_judged *judged)
{
    if (dmarc->has_too_many) {
        (void)snprintf(judged->refusal, sizeof(judged->refusal),
                       "From names people of more than %u domains, so DMARC cannot tell whether it is genuine",
                       DMARC_DOMAINS_MAX);
        return DELIVER_REFUSED;
    }
    judged->is_junk = true;
    (void)snprintf(judged->quarantine, sizeof(judged->quarantine),
                   "From names no domain that could say whether it is genuine");
    return DELIVER_OK;
}

static int decide(const struct conf *conf, const struct judgement *judgement, struct intake_judged *judged)
{
    const struct dmarc_verdict *dmarc = &judgement->dmarc;
    if (strcmp(conf->trust_dmarc, "on") != 0 || judgement->is_vouched_for)
        return DELIVER_OK;
    /* A forger could see to it that a check stays open: where the policy is known, it is waited for. */
    if (dmarc->result == DMARC_TEMPERROR && dmarc->found.has_record && dmarc->policy != DMARC_NONE)
        return DELIVER_LATER;
    if (dmarc->result == DMARC_PERMERROR)
        return decide_unnamed(dmarc, judged);
    if (dmarc->result != DMARC_FAIL)
        return DELIVER_OK;
    if (dmarc->disposition == DMARC_QUARANTINE)
        quarantine(dmarc, judged);
    if (dmarc->disposition != DMARC_REJECT)
        return DELIVER_OK;
    refuse(dmarc, judged);
    return DELIVER_REFUSED;
}

static void count(const struct judging *judging, const struct judgement *judgement, int outcome,
                  const struct intake_judged *judged, span_t header)
{
    const bool is_obeyed = strcmp(judging->intake->start->conf->trust_dmarc, "on") == 0;
    const struct dmarc_tally_case one = {
        .request = &judging->request,
        .judgement = judgement,
        .disposition = outcome == DELIVER_REFUSED ? DMARC_REJECT
                       : judged->is_junk          ? DMARC_QUARANTINE
                                                  : DMARC_NONE,
        .override = judgement->is_vouched_for ? DMARC_FORWARDED
                    : is_obeyed               ? DMARC_OBEYED
                                              : DMARC_LOCAL,
    };
    if (outcome != DELIVER_LATER) /* it comes again */
        intake_tally(judging->intake, &one, header);
}

static void note_author(const struct judgement *judgement, struct intake_judged *judged)
{
    const span_t author = domain_organizational(judgement->dmarc.domain);
    if (author.len == 0 || author.len > DNS_NAME_MAX)
        return;
    memcpy(judged->author, author.at, author.len);
    for (size_t i = 0; i < judgement->dkim->count; i++) {
        const struct dkim_verdict *verdict = &judgement->dkim->tasks[i].verdict;
        if (!domain_equal(domain_organizational(verdict->signature.domain), author))
            continue;
        judged->is_signed |= verdict->result == DKIM_PASS;
        judged->is_open |= verdict->result == DKIM_TEMPERROR;
    }
    judged->is_aligned = judged->is_signed || judgement->dmarc.result == DMARC_PASS;
    judged->is_open |= judgement->dmarc.result == DMARC_TEMPERROR;
}

static int judge_message(struct judging *judging, span_t message, struct intake_judged *judged)
{
    AUTO(judge) struct judge *judge = NULL;
    struct judgement judgement;
    size_t header_len = mime_header_len(message);
    int result = judge_new(&judging->request, span_upto(message, header_len), judging->arena, &judge);
    if (result == 0)
        result = find_out(judging, judge, span_from(message, header_len), &judgement);
    if (result == 0 && judgement.dkim != NULL && judging->request.checks_dmarc)
        note_author(&judgement, judged);
    if (result == 0 && judging->is_local)
        return DELIVER_OK;
    if (result == 0)
        result = judge_write(judge, &judgement, &judged->lines);
    if (result == 0)
        result = judge_append_results(judge, &judgement, &judged->results);
    if (result != 0)
        return result;
    judged->is_judged = true;
    judged->arc = judgement.arc != NULL ? judgement.arc->result : ARC_NONE;
    judged->has_arc_failed_before = judgement.arc != NULL && judgement.arc->has_failed_before;
    log_debug("intake.judged", F_TEXT("spf", spf_result_text(judgement.spf.result)),
              F_TEXT("dmarc", dmarc_result_text(judgement.dmarc.result)));
    judging->intake->judged++;
    result = decide(judging->intake->start->conf, &judgement, judged);
    count(judging, &judgement, result, judged, span_upto(message, header_len));
    return result;
}

/* What uses up its memory is not accepted, or that would be the way around the policy. */
int intake_judge(struct task *task, struct intake *intake, const struct ipc_deliver *deliver, span_t message,
                 struct intake_judged *judged)
{
    struct judging judging = {.task = task, .intake = intake};
    AUTO(arena) struct arena *arena = NULL;
    if (!make_request(intake, deliver, &judging))
        return DELIVER_OK;
    int result = arena_new(ARENA_MAX, &arena);
    judging.arena = arena;
    if (result == 0)
        result = judge_message(&judging, message, judged);
    if (result >= 0 || result == -ECANCELED)
        return result;
    log_warn("intake.judge.failed", F_FAULT(result));
    return DELIVER_LATER;
}
