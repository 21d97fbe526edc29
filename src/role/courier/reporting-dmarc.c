#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "role/courier/courier-state.h"
#include "role/courier/reporting.h"
#include "role/courier/reportmail.h"
#include "trust/dmarc/address.h"
#include "trust/dmarc/check.h"
#include "trust/dmarc/tally.h"
#include "trust/unpack/pack.h"

#define CONTEXTS_MAX 4U /* policies of a day: one that changes more often is told of the first ones */

/* Whom to tell: an enum report_outcome. */
static int find_addresses(const struct report_job *job, struct dmarc_addresses *ret_addresses)
{
    const struct dmarc_asker asker = {.lookup = job->lookup, .arena = job->arena};
    const span_t domain = span_of_text(job->domain);
    struct dmarc_found found;
    int result = dmarc_find_at(&asker, domain, &found);
    if (result < 0)
        return result == -EINVAL ? (int)REPORT_UNWANTED : result;
    if (found.is_temporary)
        return REPORT_OPEN;
    if (!found.has_record)
        return REPORT_UNWANTED;
    result = dmarc_addresses_find(job->lookup, domain, found.record.rua, job->arena, ret_addresses);
    if (result < 0)
        return result;
    if (ret_addresses->count > 0)
        return REPORT_SENT;
    return ret_addresses->is_open ? REPORT_OPEN : REPORT_UNWANTED;
}

/* Of the items in front that share a context: *ret_used. */
static int write_report(const struct report_job *job, const struct tally_item *items, size_t count, size_t *ret_used,
                        struct buf *packed, span_t *ret_id)
{
    struct dmarc_report report = {.organization = job->organization,
                                  .contact = job->contact,
                                  .start = (uint64_t)job->day * TALLY_DAY_SECONDS,
                                  .end = (uint64_t)(job->day + 1) * TALLY_DAY_SECONDS - 1,
                                  .published = {.domain = job->domain}};
    AUTO_BUF struct buf xml;
    buf_init(&xml, DMARC_REPORT_MAX);
    int result = dmarc_tally_read(items, count, job->arena, &report, ret_used);
    if (result == 0)
        result = report_id(job, items, *ret_used, ret_id);
    if (result < 0)
        return result;
    report.id = arena_text(job->arena, *ret_id);
    if (report.id == NULL)
        return -ENOMEM;
    result = dmarc_report_write(&report, &xml);
    for (; result == -ENOBUFS && report.row_count > 1; result = dmarc_report_write(&report, &xml)) {
        report.row_count /= 2; /* strangers can make rows long */
        buf_clear(&xml);
    }
    return result == 0 ? pack_gzip(buf_span(&xml), packed) : result;
}

/* An enum report_outcome. What is too large for an address is not sent there (RFC 7489 §6.2): we hold it to the whole
 * message, the largest of the sizes that could be meant. */
static int send_to(const struct report_job *job, const struct dmarc_address *address, span_t id, span_t packed)
{
    AUTO_BUF struct buf text;
    buf_init(&text, REPORT_MAIL_MAX);
    if (!reportmail_may_go_to(address->address))
        return REPORT_UNWANTED;
    int result = report_mail(job, id, packed, address->address, &text);
    if (result < 0)
        return result;
    if (buf_len(&text) > address->size_max) {
        log_info("courier.domain_report.large", F_HASH("domain", span_of_text(job->domain)),
                 F_U64("bytes", buf_len(&text)));
        return REPORT_UNWANTED;
    }
    result = inject_text(job->task, job->courier, address->address, INJECT_PLAIN, buf_span(&text));
    return result < 0 ? result : (int)REPORT_SENT;
}

/* Sent, if to anybody: else those who have it would get it twice. */
static int send_all(const struct report_job *job, const struct dmarc_addresses *addresses, span_t id, span_t packed)
{
    bool is_sent = false;
    bool is_open = false;
    for (size_t i = 0; i < addresses->count; i++) {
        int result = send_to(job, &addresses->list[i], id, packed);
        if (result == -ECANCELED)
            return result;
        is_sent = is_sent || result == REPORT_SENT;
        is_open = is_open || result < 0;
    }
    return is_sent ? REPORT_SENT : is_open ? REPORT_OPEN : REPORT_UNWANTED;
}

int report_dmarc(const struct report_job *job)
{
    struct dmarc_addresses addresses;
    const struct tally_item *items = job->items;
    size_t left = job->count;
    int outcome = find_addresses(job, &addresses);
    if (outcome != REPORT_SENT)
        return outcome;
    outcome = REPORT_UNWANTED;
    for (unsigned i = 0; i < CONTEXTS_MAX && left > 0; i++) {
        AUTO_BUF struct buf packed;
        span_t id = SPAN_NONE;
        size_t used = 0;
        buf_init(&packed, REPORT_PACKED_MAX);
        int result = write_report(job, items, left, &used, &packed, &id);
        if (result == 0)
            result = send_all(job, &addresses, id, buf_span(&packed));
        if (result < 0 || (result == REPORT_OPEN && outcome != REPORT_SENT))
            return result;
        outcome = result == REPORT_SENT ? REPORT_SENT : outcome;
        items += used;
        left -= used;
    }
    return outcome;
}
