#pragma once

#include "base/arena.h"
#include "base/buf.h"

/* SMTP TLS reports (RFC 8460 §4): what a sender saw of a domain's TLS in a day, as JSON, written and read. Pure. */
#define TLSRPT_REPORT_MAX (4U << 20) /* bytes of JSON, once unpacked */
#define TLSRPT_DEPTH_MAX 16U         /* of lists and objects in one another; a report needs 6 */
#define TLSRPT_POLICIES_MAX 256U     /* of one report */
#define TLSRPT_FAILURES_MAX 4096U    /* of one policy */
#define TLSRPT_STRINGS_MAX 256U      /* of a policy's lines, and of its hosts */

enum tlsrpt_policy_type { TLSRPT_TLSA, TLSRPT_STS, TLSRPT_NO_POLICY_FOUND, TLSRPT_POLICY_TYPE_COUNT };

/* RFC 8460 §4.3 */
enum tlsrpt_result_type {
    TLSRPT_STARTTLS_NOT_SUPPORTED,
    TLSRPT_CERTIFICATE_HOST_MISMATCH,
    TLSRPT_CERTIFICATE_EXPIRED,
    TLSRPT_CERTIFICATE_NOT_TRUSTED,
    TLSRPT_VALIDATION_FAILURE,
    TLSRPT_TLSA_INVALID,
    TLSRPT_DNSSEC_INVALID,
    TLSRPT_DANE_REQUIRED,
    TLSRPT_STS_POLICY_FETCH_ERROR,
    TLSRPT_STS_POLICY_INVALID,
    TLSRPT_STS_WEBPKI_INVALID,
    TLSRPT_RESULT_TYPE_COUNT
};

/* Texts are UTF-8; one that a report may leave out is NULL where it does. */
struct tlsrpt_failure {
    enum tlsrpt_result_type type;
    const char *sending_ip;
    const char *mx_host;
    const char *mx_helo;
    const char *receiving_ip;
    const char *reason_code;
    uint64_t sessions;
};

struct tlsrpt_policy {
    enum tlsrpt_policy_type type;
    const char *domain;
    size_t string_count; /* lines of the policy, or TLSA records, as RFC 8460 §4.4 shows them */
    const char *const *strings;
    size_t mx_count; /* patterns of an STS policy, else none */
    const char *const *mx_hosts;
    uint64_t successful;
    uint64_t failed;
    size_t failure_count;
    const struct tlsrpt_failure *failures;
};

struct tlsrpt_report {
    const char *organization;
    const char *contact;
    const char *id;
    int64_t start; /* seconds since 1970, UTC */
    int64_t end;
    size_t policy_count;
    const struct tlsrpt_policy *policies;
};

enum tlsrpt_outcome {
    TLSRPT_OK,
    TLSRPT_MALFORMED, /* no JSON, no report, or one beyond the limits above */
};

/* Appends the report as one JSON object. -ENOBUFS, -ENOMEM. */
MUST_USE int tlsrpt_report_write(const struct tlsrpt_report *report, struct buf *json);

/* Reads a report that anyone may have sent; all of it is copied into the arena. Policies and results of types that are
 * not known are left out. TLSRPT_OK, TLSRPT_MALFORMED, -ENOMEM. */
MUST_USE int tlsrpt_report_read(span_t json, struct arena *arena, struct tlsrpt_report *ret_report);

/* Names as they stand in reports: "sts", "certificate-expired". */
const char *tlsrpt_policy_type_name(enum tlsrpt_policy_type type);
const char *tlsrpt_result_type_name(enum tlsrpt_result_type type);
