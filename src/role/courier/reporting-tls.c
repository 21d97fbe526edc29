#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "fetch/fetch.h"
#include "fetch/url.h"
#include "role/courier/courier-state.h"
#include "role/courier/reporting.h"
#include "role/courier/reportmail.h"
#include "trust/tlsrpt/record.h"
#include "trust/tlsrpt/tally.h"
#include "trust/unpack/pack.h"

#define POST_MS 60000
#define ANSWER_MAX 65536U
#define HTTPS_PORT 443

static int write_report(const struct report_job *job, span_t *ret_id, struct buf *packed)
{
    struct tlsrpt_report report = {.organization = job->organization,
                                   .contact = job->contact,
                                   .start = (int64_t)job->day * TALLY_DAY_SECONDS,
                                   .end = (int64_t)(job->day + 1) * TALLY_DAY_SECONDS - 1};
    AUTO_BUF struct buf json;
    buf_init(&json, TLSRPT_REPORT_MAX);
    int result = report_id(job, job->items, job->count, ret_id);
    if (result == 0)
        result = tlsrpt_tally_read(job->domain, job->items, job->count, job->arena, &report);
    if (result < 0)
        return result;
    report.id = arena_text(job->arena, *ret_id);
    if (report.id == NULL)
        return -ENOMEM;
    result = tlsrpt_report_write(&report, &json);
    return result == 0 ? pack_gzip(buf_span(&json), packed) : result;
}

/* RFC 8460 §5.4. An enum report_outcome or a fault. */
static int post(const struct report_job *job, span_t address, span_t packed)
{
    struct url url;
    AUTO_BUF struct buf content;
    buf_init(&content, ANSWER_MAX);
    int result = url_parse(address, job->arena, &url);
    if (result < 0)
        return result == -EINVAL ? (int)REPORT_UNWANTED : result;
    if (url.port == HTTPS_PORT) /* where this is another one, policies are fetched from there, too */
        url.port = (uint16_t)job->courier->conf->courier_sts_port;
    const struct fetch_means means = {.lookup = job->lookup, .client = job->courier->tls};
    const struct fetch_request request = {.method = "POST",
                                          .is_tls = true,
                                          .host = url.host,
                                          .port = url.port,
                                          .target = url.target,
                                          .field_count = 1,
                                          .fields = {"Content-Type: application/tlsrpt+gzip"},
                                          .content = packed,
                                          .timeout_ms = POST_MS};
    struct fetch_response response = {.content = &content};
    result = fetch(job->task, &means, &request, &response);
    if (result == -EINVAL)
        return REPORT_UNWANTED;
    if (result < 0)
        return result;
    bool is_taken =
        (result == FETCH_OK || result == FETCH_TOO_LARGE) && response.status >= 200 && response.status < 300;
    if (!is_taken)
        log_info("courier.domain_report.unposted", F_HASH("domain", span_of_text(job->domain)),
                 F_U64("status", response.status), F_TEXT("reason", response.reason));
    return is_taken ? REPORT_SENT : REPORT_OPEN;
}

static int send_mail(const struct report_job *job, span_t to, span_t id, span_t packed)
{
    AUTO_BUF struct buf text;
    buf_init(&text, REPORT_MAIL_MAX);
    if (!reportmail_may_go_to(to))
        return REPORT_UNWANTED;
    int result = report_mail(job, id, packed, to, &text);
    if (result == 0) /* RFC 8460 §3: it arrives, however bad the TLS it tells of */
        result = inject_text(job->task, job->courier, to, INJECT_TLS_OPTIONAL, buf_span(&text));
    return result < 0 ? result : (int)REPORT_SENT;
}

/* It is delivered when one of them has it (RFC 8460 §3): who was told is not told again because another could not be.
 */
static int send_all(const struct report_job *job, const struct tlsrpt_addresses *addresses, span_t id, span_t packed)
{
    bool is_sent = false;
    bool is_open = false;
    for (size_t i = 0; i < addresses->count; i++) {
        const struct tlsrpt_address *address = &addresses->list[i];
        int result =
            address->is_https ? post(job, address->address, packed) : send_mail(job, address->address, id, packed);
        if (result == -ECANCELED)
            return result;
        is_sent = is_sent || result == REPORT_SENT;
        is_open = is_open || result == REPORT_OPEN || result < 0;
    }
    return is_sent ? REPORT_SENT : is_open ? REPORT_OPEN : REPORT_UNWANTED;
}

int report_tls(const struct report_job *job)
{
    struct tlsrpt_addresses addresses;
    AUTO_BUF struct buf packed;
    span_t id = SPAN_NONE;
    buf_init(&packed, REPORT_PACKED_MAX);
    int result = tlsrpt_record_find(job->lookup, job->domain, job->arena, &addresses);
    if (result == -EINVAL || result == TLSRPT_RECORD_NONE)
        return REPORT_UNWANTED;
    if (result == TLSRPT_RECORD_LATER)
        return REPORT_OPEN;
    if (result == TLSRPT_RECORD_FOUND)
        result = write_report(job, &id, &packed);
    return result < 0 ? result : send_all(job, &addresses, id, buf_span(&packed));
}
