#include "proto/sasl/plain.h"

#include <errno.h>

#include "base/base64.h"

int sasl_plain_parse(span_t message, struct sasl_plain *ret_plain)
{
    span_t rest = message;
    span_t authzid;
    span_t user;
    if (message.len > SASL_LINE_MAX || !span_cut(&rest, 0, &authzid) || !span_cut(&rest, 0, &user))
        return SASL_MALFORMED;
    if (authzid.len + user.len + 2 > message.len || span_find_byte(rest, 0) != rest.len)
        return SASL_MALFORMED;
    if (user.len == 0 || user.len > SASL_NAME_MAX || rest.len == 0 || rest.len > SASL_NAME_MAX)
        return SASL_MALFORMED;
    if (authzid.len > 0 && !span_equal(authzid, user))
        return SASL_REFUSED;
    ret_plain->user = user;
    ret_plain->password = rest;
    return SASL_OK;
}

int sasl_line_decode(span_t line, struct buf *message)
{
    if (span_equal(line, SPAN("*")))
        return SASL_CANCELLED;
    if (span_equal(line, SPAN("=")))
        return SASL_OK;
    if (line.len > SASL_LINE_MAX)
        return SASL_MALFORMED;
    int result = base64_decode(line, message);
    return result == -EINVAL ? (int)SASL_MALFORMED : result;
}

static const char *const names[SASL_MECHANISM_COUNT] = {
    [SASL_PLAIN] = "PLAIN",
    [SASL_LOGIN] = "LOGIN",
    [SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
};

bool sasl_mechanism_find(span_t name, enum sasl_mechanism *ret_mechanism)
{
    for (size_t at = 0; at < SASL_MECHANISM_COUNT; at++) {
        if (span_equal_nocase(name, span_of_text(names[at]))) {
            *ret_mechanism = (enum sasl_mechanism)at;
            return true;
        }
    }
    return false;
}

bool sasl_mechanism_is_scram(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_SCRAM_SHA_256 || mechanism == SASL_SCRAM_SHA_256_PLUS;
}

const char *sasl_mechanism_name(enum sasl_mechanism mechanism)
{
    return names[mechanism];
}
