#pragma once

#include "base/arena.h"
#include "base/buf.h"

/*
 * Aggregate reports of DMARC (RFC 7489 §7.2, Appendix C): what a receiver saw in a time of mail that names a domain in
 * From, as XML, written and read. Pure.
 */
#define DMARC_REPORT_MAX (8U << 20) /* bytes of XML, once unpacked */
#define DMARC_ROWS_MAX 20000U       /* of one report */
#define DMARC_SIGNATURES_MAX 16U    /* results of DKIM in one row; more are passed over */
#define DMARC_TEXT_MAX 1024U        /* bytes of any one text; a longer one is cut */

/* Texts are UTF-8, and as the schema has them ("pass", "quarantine", "r"); one that is left out is NULL. */
struct dmarc_report_signature {
    const char *domain;
    const char *selector;
    const char *result;
};

struct dmarc_report_row {
    const char *source_ip;
    uint64_t count; /* messages */
    const char *disposition;
    const char *dkim; /* "pass" where it was aligned as well */
    const char *spf;
    const char *reason; /* why the disposition is not the policy's: "trusted_forwarder" … */
    const char *reason_comment;
    const char *header_from;
    const char *envelope_from;
    const char *spf_domain;
    const char *spf_scope;
    const char *spf_result;
    size_t signature_count;
    struct dmarc_report_signature signatures[DMARC_SIGNATURES_MAX];
};

struct dmarc_report {
    const char *organization;
    const char *contact; /* a mail address */
    const char *id;
    uint64_t start; /* seconds since 1970, UTC */
    uint64_t end;
    struct {
        const char *domain;
        const char *adkim;
        const char *aspf;
        const char *policy;
        const char *subdomain_policy;
        const char *percent;
    } published;
    size_t row_count;
    const struct dmarc_report_row *rows;
};

enum dmarc_report_outcome {
    DMARC_REPORT_OK,
    DMARC_REPORT_MALFORMED, /* no XML, no report, or one beyond the limits above, or with a document type of its own */
};

/* Appends the report as an XML document. -ENOBUFS, -ENOMEM. */
MUST_USE int dmarc_report_write(const struct dmarc_report *report, struct buf *xml);

/* Reads a report that anyone may have sent; all of it is copied into the arena. What the schema does not know is passed
 * over. DMARC_REPORT_OK, DMARC_REPORT_MALFORMED, -ENOMEM. */
MUST_USE int dmarc_report_read(span_t xml, struct arena *arena, struct dmarc_report *ret_report);
