#include "trust/dmarc/check.h"

#include <errno.h>

#include "mime/address.h"
#include "proto/dns/rdata.h"
#include "trust/ask.h"
#include "trust/domain.h"

#define DOMAINS_TOO_MANY (DMARC_DOMAINS_MAX + 1)

const char *dmarc_result_text(enum dmarc_result result)
{
    static const char *const texts[] = {"none", "pass", "fail", "temperror", "permerror"};
    return texts[result];
}

const char *dmarc_policy_text(enum dmarc_policy policy)
{
    static const char *const texts[] = {"none", "quarantine", "reject"};
    return texts[policy];
}

struct domains {
    size_t count;
    span_t names[DOMAINS_TOO_MANY];
};

static int add_domain(struct domains *domains, span_t domain, struct arena *arena)
{
    span_t normal = SPAN_NONE;
    int result = domain_normal(domain, arena, &normal);
    if (result == -EINVAL) /* no domain that could have a record */
        return 0;
    for (size_t i = 0; result == 0 && i < domains->count; i++)
        if (span_equal(domains->names[i], normal))
            return 0;
    if (result == 0 && domains->count < DOMAINS_TOO_MANY)
        domains->names[domains->count++] = normal;
    return result;
}

/* In all of the header: a From must not hide behind more fields than signatures are checked over. */
static int find_domains(const struct dkim_header *header, struct arena *arena, struct domains *domains)
{
    span_t rest = header->text;
    struct mime_field field;
    while (domains->count < DOMAINS_TOO_MANY && mime_field_next(&rest, &field)) {
        struct mime_address *address = NULL;
        if (!span_equal_nocase(field.name, SPAN("From")))
            continue;
        int result = mime_address_parse(field.value, arena, &address);
        for (; result == 0 && address != NULL; address = address->next)
            if (address->kind == MIME_ADDRESS_MAILBOX)
                result = add_domain(domains, address->domain, arena);
        if (result != 0)
            return result;
    }
    return 0;
}

/* The record at _dmarc.domain (RFC 7489 §6.6.3); several are as none. */
int dmarc_record_ask(const struct dns_lookup *lookup, span_t domain, struct arena *arena, struct dmarc_verdict *verdict)
{
    AUTO_BUF struct buf name;
    struct dns_answer answer;
    size_t found = 0;
    buf_init(&name, DNS_NAME_MAX + 16);
    (void)buf_append_text(&name, "_dmarc.");
    (void)buf_append(&name, domain);
    if (buf_fault(&name) != 0)
        return buf_fault(&name);
    int result = trust_ask(lookup, buf_span(&name), DNS_TXT, arena, &answer);
    if (result != 0)
        return result;
    if (trust_is_temporary(&answer)) {
        verdict->result = DMARC_TEMPERROR;
        verdict->reason = "the DNS gave no answer";
    }
    for (size_t i = 0; i < answer.count; i++) {
        span_t text = SPAN_NONE;
        result = dns_read_txt(answer.records[i], arena, &text);
        if (result == -ENOMEM)
            return result;
        if (result != 0 || !dmarc_is_record(text))
            continue;
        verdict->has_record = ++found == 1 && dmarc_record_parse(text, &verdict->record);
    }
    if (verdict->has_record)
        verdict->policy_domain = domain;
    return 0;
}

static int find_record(const struct dns_lookup *lookup, struct arena *arena, struct dmarc_verdict *verdict)
{
    int result = dmarc_record_ask(lookup, verdict->domain, arena, verdict);
    if (result != 0 || verdict->has_record || verdict->result == DMARC_TEMPERROR)
        return result;
    span_t organizational = domain_organizational(verdict->domain);
    if (!span_equal(organizational, verdict->domain))
        result = dmarc_record_ask(lookup, organizational, arena, verdict);
    return result;
}

/* RFC 7489 §3.1 */
static bool is_aligned(span_t domain, span_t from, bool is_strict)
{
    if (is_strict)
        return domain_equal(domain, from);
    return domain_equal(domain_organizational(domain), domain_organizational(from));
}

/* What has passed for the domain; *ret_is_open where an answer still to be had could change that. */
static void align(const struct dmarc_request *request, struct dmarc_verdict *verdict, bool *ret_is_open)
{
    const struct dmarc_record *record = &verdict->record;
    *ret_is_open = false;
    if (request->spf != NULL && is_aligned(request->spf->domain, verdict->domain, record->is_spf_strict)) {
        verdict->is_spf_aligned = request->spf->result == SPF_PASS;
        *ret_is_open = request->spf->result == SPF_TEMPERROR;
    }
    for (size_t i = 0; request->dkim != NULL && i < request->dkim->count; i++) {
        const struct dkim_verdict *dkim = &request->dkim->tasks[i].verdict;
        if (dkim->signature.domain.len == 0 ||
            !is_aligned(dkim->signature.domain, verdict->domain, record->is_dkim_strict))
            continue;
        verdict->is_dkim_aligned = verdict->is_dkim_aligned || dkim->result == DKIM_PASS;
        *ret_is_open = *ret_is_open || dkim->result == DKIM_TEMPERROR;
    }
}

static void judge(const struct dmarc_request *request, struct dmarc_verdict *verdict)
{
    bool is_open = false;
    bool is_below = !span_equal(verdict->policy_domain, verdict->domain);
    verdict->policy = is_below ? verdict->record.subdomains : verdict->record.policy;
    align(request, verdict, &is_open);
    if (verdict->is_spf_aligned || verdict->is_dkim_aligned) {
        verdict->result = DMARC_PASS;
        return;
    }
    verdict->result = is_open ? DMARC_TEMPERROR : DMARC_FAIL;
    if (is_open)
        verdict->reason = "an aligned check could not be made";
    else if (request->sample < verdict->record.percent)
        verdict->disposition = verdict->policy;
    else if (verdict->policy == DMARC_REJECT) /* the next milder one (RFC 7489 §6.6.4) */
        verdict->disposition = DMARC_QUARANTINE;
}

int dmarc_find(const struct dns_lookup *lookup, const struct dkim_header *header, struct arena *arena,
               struct dmarc_records *ret_records)
{
    struct domains domains = {.count = 0};
    struct dmarc_records records = {.problem = ""};
    int result = find_domains(header, arena, &domains);
    if (domains.count == 0)
        records.problem = "From has no domain";
    else if (domains.count == DOMAINS_TOO_MANY)
        records.problem = "From has too many domains";
    else
        records.count = domains.count;
    for (size_t i = 0; result == 0 && i < records.count; i++) {
        records.found[i] =
            (struct dmarc_verdict){.result = DMARC_RESULT_NONE, .reason = "", .domain = domains.names[i]};
        result = find_record(lookup, arena, &records.found[i]);
    }
    if (result == 0)
        *ret_records = records;
    return result;
}

static unsigned badness(const struct dmarc_verdict *verdict)
{
    static const unsigned order[] = {1, 0, 4, 3, 2}; /* by enum dmarc_result */
    return order[verdict->result] * 4 + (unsigned)verdict->disposition;
}

void dmarc_check(const struct dmarc_records *records, const struct dmarc_request *request,
                 struct dmarc_verdict *ret_verdict)
{
    struct dmarc_verdict worst = {.result = DMARC_PERMERROR, .reason = records->problem};
    for (size_t i = 0; i < records->count; i++) {
        struct dmarc_verdict verdict = records->found[i];
        if (verdict.has_record)
            judge(request, &verdict);
        if (i == 0 || badness(&verdict) > badness(&worst))
            worst = verdict;
    }
    *ret_verdict = worst;
}
