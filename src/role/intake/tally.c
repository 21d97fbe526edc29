#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "mime/header.h"
#include "role/intake/intake-state.h"

/*
 * A report of theirs is not counted for a report of ours, or two servers would write to each other every day for ever.
 * It has to be theirs indeed: nobody else escapes being counted by calling his message a report.
 */
static bool is_report(span_t header, const struct dmarc_verdict *dmarc)
{
    return dmarc->result == DMARC_PASS &&
           (mime_field_value(header, SPAN("TLS-Report-Domain")).len > 0 ||
            span_starts_nocase(span_trim(mime_field_value(header, SPAN("Subject"))), SPAN("Report Domain:")));
}

static bool is_wanted(const struct conf *conf, span_t header, const struct dmarc_verdict *dmarc)
{
    return strcmp(conf->reports_dmarc, "on") == 0 && dmarc->found.has_record && dmarc->found.record.rua.len > 0 &&
           !is_report(header, dmarc);
}

void intake_tally(struct intake *intake, const struct dmarc_tally_case *one, span_t header)
{
    const struct dmarc_verdict *dmarc = &one->judgement->dmarc;
    AUTO_BUF struct buf context;
    AUTO_BUF struct buf what;
    buf_init(&context, TALLY_CONTEXT_MAX);
    buf_init(&what, TALLY_WHAT_MAX);
    if (!is_wanted(intake->start->conf, header, dmarc))
        return;
    dmarc_tally_context(dmarc, &context);
    dmarc_tally_what(one, &what);
    if (buf_fault(&context) != 0 || buf_fault(&what) != 0) {
        log_debug("intake.message.uncounted");
        return;
    }
    const struct tally_row row = {.kind = TALLY_DMARC,
                                  .day = (uint32_t)(one->request->now / TALLY_DAY_SECONDS),
                                  .count = 1,
                                  .domain = dmarc->found.policy_domain,
                                  .context = buf_span(&context),
                                  .what = buf_span(&what)};
    tallier_add(intake->tallier, &row);
}
