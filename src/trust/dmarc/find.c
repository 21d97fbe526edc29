#include "trust/dmarc/find.h"

#include <errno.h>

#include "proto/dns/rdata.h"
#include "trust/ask.h"
#include "trust/domain.h"

#define WALK_LABELS_MAX 7U /* of a parent that is asked at (RFC 9989 §4.10) */

struct place {
    bool is_temporary;
    bool has_record;
    bool is_settled; /* there is something, if nothing that counts */
    span_t domain;
    struct dmarc_record record;
};

static int read_records(const struct dns_answer *answer, const struct dmarc_asker *asker, struct place *place)
{
    size_t found = 0;
    for (size_t i = 0; i < answer->count; i++) {
        span_t text = SPAN_NONE;
        int result = dns_read_txt(answer->records[i], asker->arena, &text);
        if (result == -ENOMEM)
            return result;
        if (result != 0 || !dmarc_is_record(text))
            continue;
        place->is_settled = true;
        place->has_record = ++found == 1 && dmarc_record_parse(text, asker->edition, &place->record);
    }
    return 0;
}

/* The record at _dmarc.domain (RFC 7489 §6.6.3); several are as none. */
static int ask(const struct dmarc_asker *asker, span_t domain, struct place *ret_place)
{
    AUTO_BUF struct buf name;
    struct dns_answer answer;
    buf_init(&name, DNS_NAME_MAX + 16);
    (void)buf_append_text(&name, "_dmarc.");
    (void)buf_append(&name, domain);
    *ret_place = (struct place){.domain = domain};
    if (buf_fault(&name) != 0)
        return buf_fault(&name);
    int result = trust_ask(asker->lookup, buf_span(&name), DNS_TXT, asker->arena, &answer);
    if (result != 0)
        return result;
    ret_place->is_temporary = trust_is_temporary(&answer);
    return read_records(&answer, asker, ret_place);
}

static void take(const struct place *place, struct dmarc_found *found)
{
    found->is_temporary = place->is_temporary;
    found->has_record = place->has_record;
    found->policy_domain = place->domain;
    found->record = place->record;
}

/* --- by the public suffix list (RFC 7489 §3.2) */

static int find_by_list(const struct dmarc_asker *asker, span_t domain, struct dmarc_found *found)
{
    struct place place;
    found->organizational = domain_organizational(domain);
    int result = ask(asker, domain, &place);
    /* RFC 7489 §6.6.3: several records, or one without sense, end it; only where there is none, is it asked above. */
    if (result == 0 && !place.is_settled && !place.is_temporary && !span_equal(found->organizational, domain))
        result = ask(asker, found->organizational, &place);
    if (result == 0)
        take(&place, found);
    return result;
}

/* --- by a walk up the tree (RFC 9989 §4.10) */

static span_t parent_of(span_t domain)
{
    return span_from(domain, span_find_byte(domain, '.') + 1);
}

static size_t labels_of(span_t domain)
{
    size_t count = 0;
    for (; domain.len > 0; domain = parent_of(domain))
        count++;
    return count;
}

/* Whoever writes a hundred labels has not a hundred questions asked. */
static span_t next_up(span_t domain)
{
    domain = parent_of(domain);
    while (labels_of(domain) > WALK_LABELS_MAX)
        domain = parent_of(domain);
    return domain;
}

static span_t one_below(span_t domain, span_t ancestor)
{
    size_t wanted = labels_of(ancestor) + 1;
    while (labels_of(domain) > wanted)
        domain = parent_of(domain);
    return domain;
}

/* The last two records on the way, the upper one being where the walk ends; without any, upper has none. */
struct way {
    bool is_temporary;
    struct place start;
    struct place lower;
    struct place upper;
};

/* Up to, and without, end, which may be empty: all the way. */
static int walk(const struct dmarc_asker *asker, span_t start, span_t end, struct way *ret_way)
{
    struct way way = {.is_temporary = false};
    bool is_over = false;
    for (span_t at = start; !is_over && at.len > 0 && !domain_equal(at, end); at = next_up(at)) {
        struct place place;
        int result = ask(asker, at, &place);
        if (result != 0)
            return result;
        way.is_temporary = place.is_temporary;
        is_over = place.is_temporary || (place.has_record && place.record.psd != DMARC_PSD_UNKNOWN);
        if (!place.has_record)
            continue;
        if (at.len == start.len)
            way.start = place;
        way.lower = way.upper;
        way.upper = place;
    }
    *ret_way = way;
    return 0;
}

/* RFC 9989 §4.10.2 */
static span_t boundary_of(const struct way *way, span_t start)
{
    const struct place *upper = &way->upper;
    if (!upper->has_record)
        return start;
    if (upper->record.psd == DMARC_PSD_YES && !span_equal(upper->domain, start))
        return one_below(start, upper->domain);
    return upper->domain;
}

static int find_by_walk(const struct dmarc_asker *asker, span_t domain, struct dmarc_found *found)
{
    struct way way;
    int result = walk(asker, domain, SPAN_NONE, &way);
    if (result != 0)
        return result;
    found->is_temporary = way.is_temporary;
    found->organizational = boundary_of(&way, domain);
    if (way.is_temporary || !way.upper.has_record)
        return 0;
    const bool is_below_suffix = way.lower.has_record && span_equal(way.lower.domain, found->organizational);
    take(way.start.has_record ? &way.start : is_below_suffix ? &way.lower : &way.upper, found); /* §4.10.1 */
    if (way.start.has_record || found->record.nonexistent == found->record.subdomains)
        return 0;
    struct dns_answer answer;
    result = trust_ask(asker->lookup, domain, DNS_A, asker->arena, &answer);
    found->is_nonexistent = result == 0 && answer.outcome == DNS_NO_NAME;
    return result;
}

/* Between the other domain and the common one, nobody may have drawn a boundary. On the way to domain itself nobody
 * has: it was walked. */
static int compare_by_walk(const struct dmarc_asker *asker, span_t domain, const struct dmarc_found *found,
                           span_t other, enum dmarc_kinship *ret_kinship)
{
    struct way way;
    *ret_kinship = domain_is_below(other, found->organizational) ? DMARC_KIN : DMARC_STRANGERS;
    if (*ret_kinship == DMARC_STRANGERS || domain_is_below(domain, other))
        return 0;
    int result = walk(asker, other, found->organizational, &way);
    if (result != 0)
        return result;
    if (way.is_temporary)
        *ret_kinship = DMARC_KINSHIP_UNKNOWN;
    else if (way.upper.has_record && way.upper.record.psd != DMARC_PSD_UNKNOWN)
        *ret_kinship = DMARC_STRANGERS;
    return 0;
}

/* --- */

int dmarc_find(const struct dmarc_asker *asker, span_t domain, struct dmarc_found *ret_found)
{
    *ret_found = (struct dmarc_found){.has_record = false};
    return asker->edition == DMARC_RFC9989 ? find_by_walk(asker, domain, ret_found)
                                           : find_by_list(asker, domain, ret_found);
}

int dmarc_find_at(const struct dmarc_asker *asker, span_t domain, struct dmarc_found *ret_found)
{
    struct place place;
    *ret_found = (struct dmarc_found){.has_record = false};
    int result = ask(asker, domain, &place);
    if (result == 0)
        take(&place, ret_found);
    return result;
}

int dmarc_compare(const struct dmarc_asker *asker, span_t domain, const struct dmarc_found *found, span_t other,
                  enum dmarc_kinship *ret_kinship)
{
    if (asker->edition == DMARC_RFC9989)
        return compare_by_walk(asker, domain, found, other, ret_kinship);
    const bool is_kin = domain_equal(domain_organizational(other), found->organizational);
    *ret_kinship = is_kin ? DMARC_KIN : DMARC_STRANGERS;
    return 0;
}
