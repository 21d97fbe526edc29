#include "trust/tlsrpt/name.h"

static const char *const policy_types[TLSRPT_POLICY_TYPE_COUNT] = {
    [TLSRPT_TLSA] = "tlsa",
    [TLSRPT_STS] = "sts",
    [TLSRPT_NO_POLICY_FOUND] = "no-policy-found",
};

/* RFC 8460 §4.3.1 to §4.3.4 */
static const char *const result_types[TLSRPT_RESULT_TYPE_COUNT] = {
    [TLSRPT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
    [TLSRPT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
    [TLSRPT_CERTIFICATE_EXPIRED] = "certificate-expired",
    [TLSRPT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
    [TLSRPT_VALIDATION_FAILURE] = "validation-failure",
    [TLSRPT_TLSA_INVALID] = "tlsa-invalid",
    [TLSRPT_DNSSEC_INVALID] = "dnssec-invalid",
    [TLSRPT_DANE_REQUIRED] = "dane-required",
    [TLSRPT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
    [TLSRPT_STS_POLICY_INVALID] = "sts-policy-invalid",
    [TLSRPT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};

const char *tlsrpt_policy_type_name(enum tlsrpt_policy_type type)
{
    return policy_types[type];
}

const char *tlsrpt_result_type_name(enum tlsrpt_result_type type)
{
    return result_types[type];
}

bool tlsrpt_policy_type_find(const char *name, enum tlsrpt_policy_type *ret_type)
{
    for (size_t at = 0; at < TLSRPT_POLICY_TYPE_COUNT; at++) {
        if (!span_equal(span_of_text(policy_types[at]), span_of_text(name)))
            continue;
        *ret_type = (enum tlsrpt_policy_type)at;
        return true;
    }
    return false;
}

bool tlsrpt_result_type_find(const char *name, enum tlsrpt_result_type *ret_type)
{
    for (size_t at = 0; at < TLSRPT_RESULT_TYPE_COUNT; at++) {
        if (!span_equal(span_of_text(result_types[at]), span_of_text(name)))
            continue;
        *ret_type = (enum tlsrpt_result_type)at;
        return true;
    }
    return false;
}
