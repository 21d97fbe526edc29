#include <stdio.h>
#include <stdlib.h>

#include "mime/header.h"
#include "probe.h"
#include "trust/arc/seal.h"
#include "trust/judge.h"

static int run_judge(struct probe *probe, const struct judge_request *request, size_t chunk, struct judge **ret_judge,
                     struct judgement *ret_judgement)
{
    AUTO(judge) struct judge *judge = NULL;
    struct dns_lookup lookup = zone_lookup(probe->zone);
    span_t message = buf_span(&probe->message);
    span_t rest = span_from(message, mime_header_len(message));
    int result = judge_new(request, span_upto(message, message.len - rest.len), probe->arena, &judge);
    if (result != 0)
        return result;
    for (; rest.len > 0; rest = span_from(rest, chunk))
        judge_body(judge, span_upto(rest, chunk));
    result = judge_finish(judge, &lookup, ret_judgement);
    *ret_judge = TAKE(judge);
    return result;
}

static bool read_request(const struct probe *probe, char **words, struct judge_request *ret_request)
{
    *ret_request = (struct judge_request){
        .now = strtoull(words[1], NULL, 10),
        .helo = span_of_text(words[3]),
        .sender = span_of_text(words[4]),
        .trusted_sealers = span_of_text(words[5]),
        .sample = (unsigned)strtoul(words[6], NULL, 10),
        .host = SPAN("receiver.example"),
        .checks_iprev = true,
        .checks_spf = true,
        .checks_dkim = true,
        .checks_dmarc = true,
        .dmarc_edition = probe->edition,
    };
    return ip_parse(span_of_text(words[2]), &ret_request->client);
}

void probe_judge(struct probe *probe, char **words)
{
    AUTO(judge) struct judge *judge = NULL;
    AUTO_BUF struct buf lines;
    struct judge_request request;
    struct judgement judgement;
    buf_init(&lines, 65536);
    if (!read_request(probe, words, &request) || run_judge(probe, &request, 100, &judge, &judgement) != 0 ||
        judge_write(judge, &judgement, &lines) != 0) {
        puts("error");
        return;
    }
    const struct dmarc_verdict *dmarc = &judgement.dmarc;
    printf("iprev\t%s\n", iprev_result_text(judgement.iprev.result));
    printf("spf\t%s\n", spf_result_text(judgement.spf.result));
    for (size_t i = 0; i < judgement.dkim->count; i++)
        printf("dkim\t%s\n", dkim_result_text(judgement.dkim->tasks[i].verdict.result));
    printf("arc\t%s\t%u\t%s\n", arc_result_text(judgement.arc->result), judgement.arc->count, judgement.arc->reason);
    printf("dmarc\t%s\t%s\t%.*s\t%.*s\t%s\n", dmarc_result_text(dmarc->result), dmarc_policy_text(dmarc->disposition),
           SPAN_PRINT(dmarc->domain), SPAN_PRINT(dmarc->found.policy_domain), dmarc->reason);
    printf("vouched\t%d\n", judgement.is_vouched_for);
    printf("field\t");
    probe_print_hex(buf_span(&lines));
}

static int seal(struct probe *probe, EVP_PKEY *key, char **words, struct buf *lines)
{
    AUTO(judge) struct judge *judge = NULL;
    AUTO(dkim_body) struct dkim_body *body = NULL;
    AUTO_BUF struct buf results;
    struct dkim_header header;
    struct judge_request request;
    struct judgement judgement;
    uint64_t len = 0;
    size_t index = 0;
    span_t message = buf_span(&probe->message);
    size_t header_len = mime_header_len(message);
    buf_init(&results, 65536);
    char *asked[] = {words[0], words[4], words[5], words[6], words[7], words[8], words[9]};
    int result = read_request(probe, asked, &request) ? run_judge(probe, &request, 100, &judge, &judgement) : -1;
    if (result == 0)
        result = dkim_header_index(span_upto(message, header_len), probe->arena, &header);
    if (result == 0)
        result = dkim_body_new(&body);
    if (result == 0)
        result = dkim_body_want(body, DKIM_RELAXED, DKIM_NO_LIMIT, &index);
    if (result != 0)
        return result;
    dkim_body_add(body, span_from(message, header_len));
    if (dkim_body_finish(body) != 0 || judge_append_results(judge, &judgement, &results) != 0)
        return -1;
    const struct dkim_signer signer = {.sign = probe_sign_hash, .context = key};
    const struct arc_sealing sealing = {
        .chain = judgement.arc,
        .host = request.host,
        .results = buf_span(&results),
        .domain = span_of_text(words[1]),
        .selector = span_of_text(words[2]),
        .algorithm = probe_algorithm(key),
        .now = request.now,
        .body_hash = dkim_body_hash(body, index, &len),
    };
    return arc_seal(&sealing, &header, &signer, lines);
}

void probe_arc_seal(struct probe *probe, char **words)
{
    AUTO_BUF struct buf lines;
    buf_init(&lines, 262144);
    EVP_PKEY *key = probe_load_key(words[3]);
    int result = key != NULL ? seal(probe, key, words, &lines) : -1;
    if (result == ARC_NOT_SEALED)
        puts("not sealed");
    else if (result != ARC_SEALED)
        puts("error");
    else
        probe_print_hex(buf_span(&lines));
    EVP_PKEY_free(key);
}
