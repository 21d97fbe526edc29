#include "proto/sasl/scram.h"

#include <assert.h>

/* Every message of an exchange that a client may send, and what is said of its parts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_within(span_t part, span_t whole)
{
    if (part.len == 0)
        return;
    assert(part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static void try_first(span_t message)
{
    struct scram_first first;
    if (scram_first_parse(message, &first) != SASL_OK)
        return;
    assert(first.gs2_header.len + first.bare.len == message.len);
    assert_within(first.user_quoted, first.bare);
    assert_within(first.nonce, first.bare);
    assert_within(first.binding_type, first.gs2_header);
    AUTO_BUF struct buf name = {0};
    buf_init(&name, SASL_NAME_MAX);
    assert(scram_name_unquote(first.user_quoted, &name) == 0);
    assert(buf_len(&name) > 0 && buf_len(&name) <= first.user_quoted.len);
}

static void try_final(span_t message)
{
    struct scram_final final;
    if (scram_final_parse(message, &final) != SASL_OK)
        return;
    assert(final.without_proof.len < message.len);
    assert_within(final.nonce, final.without_proof);
    assert_within(final.binding, final.without_proof);
    assert(scram_binding_check(final.binding, SPAN("n,,"), SPAN_NONE) >= 0);
}

static void try_line(span_t line)
{
    AUTO_BUF struct buf message = {0};
    struct sasl_plain plain;
    buf_init(&message, SASL_LINE_MAX);
    if (sasl_line_decode(line, &message) != SASL_OK)
        return;
    if (sasl_plain_parse(buf_span(&message), &plain) != SASL_OK)
        return;
    assert_within(plain.user, buf_span(&message));
    assert_within(plain.password, buf_span(&message));
    assert(plain.user.len > 0 && plain.password.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t message = span_of(data, size);
    try_first(message);
    try_final(message);
    try_line(message);
    return 0;
}
