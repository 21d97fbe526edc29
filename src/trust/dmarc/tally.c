#include "trust/dmarc/tally.h"

#include <errno.h>
#include <stdio.h>

#include "trust/domain.h"

#define WORD_MAX 64U
#define DOMAIN_BYTES 255U
#define SIGNATURE_ROOM 640U /* what one takes at the most */

/* --- counting --------------------------------------------------------------------------------------------------- */

static void add_word(struct buf *list, const char *word)
{
    tally_text_add(list, span_of_text(word), WORD_MAX);
}

static void add_name(struct buf *list, span_t name)
{
    tally_text_add(list, name, DOMAIN_BYTES);
}

void dmarc_tally_context(const struct dmarc_verdict *verdict, struct buf *context)
{
    char percent[16];
    const struct dmarc_record *record = &verdict->found.record;
    (void)snprintf(percent, sizeof(percent), "%u", record->percent);
    add_word(context, record->is_dkim_strict ? "s" : "r");
    add_word(context, record->is_spf_strict ? "s" : "r");
    add_word(context, dmarc_policy_text(record->policy));
    add_word(context, dmarc_policy_text(record->subdomains));
    add_word(context, percent);
}

/* Why the disposition is not the policy's (RFC 7489 Appendix C; for ARC, RFC 8617 §7.2.2). */
static void add_reason(const struct dmarc_tally_case *one, struct buf *what)
{
    const struct dmarc_verdict *dmarc = &one->judgement->dmarc;
    const char *reason = "";
    const char *comment = "";
    if (dmarc->result == DMARC_FAIL && one->override == DMARC_FORWARDED) {
        reason = "local_policy";
        comment = "arc=pass";
    } else if (dmarc->result == DMARC_FAIL && one->override == DMARC_LOCAL && dmarc->policy != DMARC_NONE) {
        reason = "local_policy";
    } else if (dmarc->result == DMARC_FAIL && dmarc->disposition != dmarc->policy) {
        reason = "sampled_out";
    }
    add_word(what, reason);
    add_word(what, comment);
}

/* Those that could be aligned come first, so that nobody crowds them out with signatures of his own. */
static void add_signatures(const struct dmarc_tally_case *one, struct buf *what)
{
    const struct dkim_verifier *dkim = one->judgement->dkim;
    const span_t own = domain_organizational(one->judgement->dmarc.domain);
    unsigned told = 0;
    for (unsigned round = 0; dkim != NULL && round < 2; round++)
        for (size_t i = 0; i < dkim->count && told < DMARC_TALLY_SIGNATURES_MAX; i++) {
            const struct dkim_verdict *verdict = &dkim->tasks[i].verdict;
            const span_t domain = verdict->signature.domain;
            bool is_own = domain.len > 0 && domain_equal(domain_organizational(domain), own);
            if (domain.len == 0 || is_own != (round == 0) || what->max - buf_len(what) < SIGNATURE_ROOM)
                continue;
            add_name(what, domain);
            add_name(what, verdict->signature.selector);
            add_word(what, dkim_result_text(verdict->result));
            told++;
        }
}

void dmarc_tally_what(const struct dmarc_tally_case *one, struct buf *what)
{
    const struct judge_request *request = one->request;
    const struct judgement *judgement = one->judgement;
    const span_t envelope = request->sender.len > 0 ? domain_of_mailbox(request->sender) : SPAN_NONE;
    AUTO_BUF struct buf client;
    buf_init(&client, WORD_MAX);
    ip_print(&request->client, &client);
    tally_text_add(what, buf_span(&client), WORD_MAX);
    add_word(what, dmarc_policy_text(one->disposition));
    add_word(what, judgement->dmarc.is_dkim_aligned ? "pass" : "fail");
    add_word(what, judgement->dmarc.is_spf_aligned ? "pass" : "fail");
    add_reason(one, what);
    add_name(what, judgement->dmarc.domain);
    add_name(what, envelope);
    add_name(what, request->checks_spf ? judgement->spf.domain : envelope);
    add_word(what, request->checks_spf && judgement->spf.is_helo ? "helo" : "mfrom");
    add_word(what, spf_result_text(request->checks_spf ? judgement->spf.result : SPF_NONE));
    add_signatures(one, what);
}

/* --- the report ------------------------------------------------------------------------------------------------- */

static int read_texts(span_t *rest, struct arena *arena, const char **const *texts, size_t count)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = tally_text_next(rest, arena, texts[i]);
    return result;
}

static int read_context(span_t context, struct arena *arena, struct dmarc_report *report)
{
    const char **const texts[] = {&report->published.adkim, &report->published.aspf, &report->published.policy,
                                  &report->published.subdomain_policy, &report->published.percent};
    return read_texts(&context, arena, texts, COUNT_OF(texts));
}

static int read_what(span_t what, struct arena *arena, struct dmarc_report_row *row)
{
    const char **const texts[] = {&row->source_ip,  &row->disposition,    &row->dkim,        &row->spf,
                                  &row->reason,     &row->reason_comment, &row->header_from, &row->envelope_from,
                                  &row->spf_domain, &row->spf_scope,      &row->spf_result};
    int result = read_texts(&what, arena, texts, COUNT_OF(texts));
    while (result == 0 && what.len > 0 && row->signature_count < DMARC_SIGNATURES_MAX) {
        struct dmarc_report_signature *signature = &row->signatures[row->signature_count++];
        const char **const parts[] = {&signature->domain, &signature->selector, &signature->result};
        result = read_texts(&what, arena, parts, COUNT_OF(parts));
    }
    return result;
}

int dmarc_tally_read(const struct tally_item *items, size_t count, struct arena *arena, struct dmarc_report *report,
                     size_t *ret_used)
{
    size_t used = 0;
    while (used < count && span_equal(items[used].context, items[0].context))
        used++;
    report->row_count = used < DMARC_ROWS_MAX ? used : DMARC_ROWS_MAX;
    struct dmarc_report_row *rows = arena_alloc_array(arena, report->row_count, sizeof(*rows));
    if (rows == NULL)
        return -ENOMEM;
    report->rows = rows;
    int result = used > 0 ? read_context(items[0].context, arena, report) : 0;
    for (size_t i = 0; result == 0 && i < report->row_count; i++) {
        rows[i] = (struct dmarc_report_row){.count = items[i].count};
        result = read_what(items[i].what, arena, &rows[i]);
    }
    *ret_used = used;
    return result;
}
