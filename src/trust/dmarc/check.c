#include "trust/dmarc/check.h"

#include <errno.h>

#include "mime/address.h"
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

static int find_record(const struct dmarc_asker *asker, struct dmarc_verdict *verdict)
{
    int result = dmarc_find(asker, verdict->domain, &verdict->found);
    if (result == 0 && verdict->found.is_temporary) {
        verdict->result = DMARC_TEMPERROR;
        verdict->reason = "the DNS gave no answer";
    }
    return result;
}

/* --- what has passed for the domain (RFC 7489 §3.1) */

/* Whether it is aligned counts only where it has passed, or might have: *is_aligned stays as it is else. *is_open:
 * an answer still to be had could change that. */
static int align_one(const struct dmarc_asker *asker, const struct dmarc_verdict *verdict, bool is_strict,
                     span_t domain, bool has_passed, bool *is_aligned, bool *is_open)
{
    enum dmarc_kinship kinship = DMARC_STRANGERS;
    if (domain_equal(domain, verdict->domain)) {
        kinship = DMARC_KIN;
    } else if (!is_strict) {
        int result = dmarc_compare(asker, verdict->domain, &verdict->found, domain, &kinship);
        if (result != 0)
            return result;
    }
    *is_aligned = *is_aligned || (kinship == DMARC_KIN && has_passed);
    *is_open = *is_open || kinship == DMARC_KINSHIP_UNKNOWN || (kinship == DMARC_KIN && !has_passed);
    return 0;
}

static int align(const struct dmarc_asker *asker, const struct dmarc_request *request, struct dmarc_verdict *verdict,
                 bool *is_open)
{
    const struct dmarc_record *record = &verdict->found.record;
    const struct spf_verdict *spf = request->spf;
    int result = 0;
    if (spf != NULL && (spf->result == SPF_PASS || spf->result == SPF_TEMPERROR))
        result = align_one(asker, verdict, record->is_spf_strict, spf->domain, spf->result == SPF_PASS,
                           &verdict->is_spf_aligned, is_open);
    for (size_t i = 0; result == 0 && request->dkim != NULL && i < request->dkim->count; i++) {
        const struct dkim_verdict *dkim = &request->dkim->tasks[i].verdict;
        if (dkim->signature.domain.len > 0 && (dkim->result == DKIM_PASS || dkim->result == DKIM_TEMPERROR))
            result = align_one(asker, verdict, record->is_dkim_strict, dkim->signature.domain,
                               dkim->result == DKIM_PASS, &verdict->is_dkim_aligned, is_open);
    }
    return result;
}

static enum dmarc_policy policy_of(const struct dmarc_verdict *verdict)
{
    const struct dmarc_found *found = &verdict->found;
    if (span_equal(found->policy_domain, verdict->domain))
        return found->record.policy;
    return found->is_nonexistent ? found->record.nonexistent : found->record.subdomains;
}

static int judge(const struct dmarc_asker *asker, const struct dmarc_request *request, struct dmarc_verdict *verdict)
{
    bool is_open = false;
    int result = align(asker, request, verdict, &is_open);
    verdict->policy = policy_of(verdict);
    if (result != 0)
        return result;
    if (verdict->is_spf_aligned || verdict->is_dkim_aligned) {
        verdict->result = DMARC_PASS;
        return 0;
    }
    verdict->result = is_open ? DMARC_TEMPERROR : DMARC_FAIL;
    if (is_open)
        verdict->reason = "an aligned check could not be made";
    else if (request->sample < verdict->found.record.percent)
        verdict->disposition = verdict->policy;
    else if (verdict->policy == DMARC_REJECT) /* the next milder one (RFC 7489 §6.6.4) */
        verdict->disposition = DMARC_QUARANTINE;
    return 0;
}

int dmarc_ask(const struct dmarc_asker *asker, const struct dkim_header *header, struct dmarc_records *ret_records)
{
    struct domains domains = {.count = 0};
    struct dmarc_records records = {.problem = ""};
    int result = find_domains(header, asker->arena, &domains);
    records.has_too_many = domains.count == DOMAINS_TOO_MANY;
    if (domains.count == 0)
        records.problem = "From has no domain";
    else if (records.has_too_many)
        records.problem = "From has too many domains";
    else
        records.count = domains.count;
    for (size_t i = 0; result == 0 && i < records.count; i++) {
        records.found[i] =
            (struct dmarc_verdict){.result = DMARC_RESULT_NONE, .reason = "", .domain = domains.names[i]};
        result = find_record(asker, &records.found[i]);
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

int dmarc_check(const struct dmarc_asker *asker, const struct dmarc_records *records,
                const struct dmarc_request *request, struct dmarc_verdict *ret_verdict)
{
    struct dmarc_verdict worst = {
        .result = DMARC_PERMERROR, .reason = records->problem, .has_too_many = records->has_too_many};
    for (size_t i = 0; i < records->count; i++) {
        struct dmarc_verdict verdict = records->found[i];
        int result = verdict.found.has_record ? judge(asker, request, &verdict) : 0;
        if (result != 0)
            return result;
        if (i == 0 || badness(&verdict) > badness(&worst))
            worst = verdict;
    }
    *ret_verdict = worst;
    return 0;
}
