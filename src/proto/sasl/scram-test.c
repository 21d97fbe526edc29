#include "base/test.h"

#include "proto/sasl/scram.h"

#include <string.h>

#include "base/base64.h"

/* The exchange of RFC 7677 §3. */
#define FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SERVER_FIRST "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL_BARE "c=biws,r=" NONCE
#define FINAL FINAL_BARE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define AUTH_MESSAGE "n=user,r=rOprNGfwEbeRWgbNEkqO," SERVER_FIRST "," FINAL_BARE

static void the_exchange_of_the_rfc_is_reproduced(void **state)
{
    (void)state;
    struct scram_first first;
    struct scram_final final;
    struct scram_keys keys;
    uint8_t client_key[SCRAM_KEY_SIZE];
    uint8_t signature[SCRAM_KEY_SIZE];
    AUTO_BUF struct buf salt = {0};
    AUTO_BUF struct buf text = {0};
    buf_init(&salt, 64);
    buf_init(&text, 64);
    assert_int_equal(scram_first_parse(SPAN(FIRST), &first), SASL_OK);
    assert_true(span_equal(first.user_quoted, SPAN("user")));
    assert_true(span_equal(first.gs2_header, SPAN("n,,")));
    assert_true(span_equal(first.bare, SPAN("n=user,r=rOprNGfwEbeRWgbNEkqO")));
    assert_int_equal(scram_final_parse(SPAN(FINAL), &final), SASL_OK);
    assert_true(span_equal(final.nonce, SPAN(NONCE)));
    assert_true(span_equal(final.without_proof, SPAN(FINAL_BARE)));
    assert_int_equal(scram_binding_check(final.binding, first.gs2_header, SPAN_NONE), SASL_OK);
    assert_int_equal(base64_decode(SPAN("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt), 0);
    assert_int_equal(scram_keys_derive(SPAN("pencil"), buf_span(&salt), 4096, &keys), 0);
    assert_int_equal(scram_proof_open(final.proof, keys.stored, SPAN(AUTH_MESSAGE), client_key), SASL_OK);
    assert_memory_equal(client_key, keys.client, SCRAM_KEY_SIZE);
    assert_int_equal(scram_server_signature(keys.server, SPAN(AUTH_MESSAGE), signature), 0);
    assert_int_equal(base64_encode(span_of(signature, sizeof(signature)), &text), 0);
    assert_true(span_equal(buf_span(&text), SPAN("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
}

static void a_wrong_proof_is_refused(void **state)
{
    (void)state;
    struct scram_final final;
    struct scram_keys keys;
    uint8_t client_key[SCRAM_KEY_SIZE];
    assert_int_equal(scram_final_parse(SPAN(FINAL), &final), SASL_OK);
    assert_int_equal(scram_keys_derive(SPAN("pencil"), SPAN("salt"), 4096, &keys), 0);
    assert_int_equal(scram_proof_open(final.proof, keys.stored, SPAN(AUTH_MESSAGE), client_key), SASL_REFUSED);
}

static void first_messages_are_judged(void **state)
{
    (void)state;
    static const struct {
        span_t message;
        int result;
    } rows[] = {
        {SPAN("y,,n=user,r=abc"), SASL_OK},
        {SPAN("p=tls-exporter,,n=user,r=abc"), SASL_OK},
        {SPAN("n,a=user,n=user,r=abc"), SASL_OK},
        {SPAN("n,,n=us=2Cer=3D,r=abc,x=more"), SASL_OK},
        {SPAN("n,a=root,n=user,r=abc"), SASL_REFUSED},
        {SPAN("p=,,n=user,r=abc"), SASL_MALFORMED},
        {SPAN("q,,n=user,r=abc"), SASL_MALFORMED},
        {SPAN("n,,m=ext,n=user,r=abc"), SASL_MALFORMED},
        {SPAN("n,,n=us=er,r=abc"), SASL_MALFORMED},
        {SPAN("n,,n=,r=abc"), SASL_MALFORMED},
        {SPAN("n,,n=user,r="), SASL_MALFORMED},
        {SPAN("n,,n=user,r=a\x7f"), SASL_MALFORMED},
        {SPAN("n,,n=user"), SASL_MALFORMED},
        {SPAN("n,n=user,r=abc"), SASL_MALFORMED},
        {SPAN("n,,n=user,r=abc,xx"), SASL_MALFORMED},
        {SPAN("n,,"), SASL_MALFORMED},
        {SPAN(""), SASL_MALFORMED},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct scram_first first;
        assert_int_equal(scram_first_parse(rows[row].message, &first), rows[row].result);
    }
}

static void final_messages_are_judged(void **state)
{
    (void)state;
    static const struct {
        span_t message;
        int result;
    } rows[] = {
        {SPAN(FINAL), SASL_OK},
        {SPAN("c=biws,r=abc,x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), SASL_OK},
        {SPAN("c=biws,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndV"), SASL_MALFORMED},
        {SPAN("c=biws,r=abc,p=YWJj"), SASL_MALFORMED},
        {SPAN("c=biws,r=abc"), SASL_MALFORMED},
        {SPAN("r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), SASL_MALFORMED},
        {SPAN("p="), SASL_MALFORMED},
        {SPAN(""), SASL_MALFORMED},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct scram_final final;
        assert_int_equal(scram_final_parse(rows[row].message, &final), rows[row].result);
    }
}

static void channel_binding_must_be_of_this_connection(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_init(&text, 256);
    span_t header = SPAN("p=tls-exporter,,");
    assert_int_equal(base64_encode(SPAN("p=tls-exporter,,0123456789"), &text), 0);
    assert_int_equal(scram_binding_check(buf_span(&text), header, SPAN("0123456789")), SASL_OK);
    assert_int_equal(scram_binding_check(buf_span(&text), header, SPAN("0123456788")), SASL_REFUSED);
    assert_int_equal(scram_binding_check(buf_span(&text), header, SPAN("012345678")), SASL_REFUSED);
    assert_int_equal(scram_binding_check(buf_span(&text), SPAN("n,,"), SPAN("0123456789")), SASL_REFUSED);
    assert_int_equal(scram_binding_check(SPAN("!"), header, SPAN("")), SASL_REFUSED);
}

static void names_are_unquoted(void **state)
{
    (void)state;
    AUTO_BUF struct buf name = {0};
    buf_init(&name, 64);
    assert_int_equal(scram_name_unquote(SPAN("a=2Cb=3dc"), &name), 0);
    assert_true(span_equal(buf_span(&name), SPAN("a,b=c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exchange_of_the_rfc_is_reproduced),
        cmocka_unit_test(a_wrong_proof_is_refused),
        cmocka_unit_test(first_messages_are_judged),
        cmocka_unit_test(final_messages_are_judged),
        cmocka_unit_test(channel_binding_must_be_of_this_connection),
        cmocka_unit_test(names_are_unquoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
