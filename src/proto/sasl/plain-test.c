#include "base/test.h"

#include "proto/sasl/plain.h"

static void plain_messages_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        span_t message;
        int result;
        const char *user, *password;
    } rows[] = {
        {SPAN("\0alice@demo.test\0secret"), SASL_OK, "alice@demo.test", "secret"},
        {SPAN("alice\0alice\0s e c"), SASL_OK, "alice", "s e c"},
        {SPAN("bob\0alice\0secret"), SASL_REFUSED, NULL, NULL},
        {SPAN("\0alice\0"), SASL_MALFORMED, NULL, NULL},
        {SPAN("\0\0secret"), SASL_MALFORMED, NULL, NULL},
        {SPAN("\0alice"), SASL_MALFORMED, NULL, NULL},
        {SPAN("alice"), SASL_MALFORMED, NULL, NULL},
        {SPAN(""), SASL_MALFORMED, NULL, NULL},
        {SPAN("\0alice\0sec\0ret"), SASL_MALFORMED, NULL, NULL},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct sasl_plain plain = {SPAN_NONE, SPAN_NONE};
        assert_int_equal(sasl_plain_parse(rows[row].message, &plain), rows[row].result);
        if (rows[row].result != SASL_OK)
            continue;
        assert_true(span_equal(plain.user, span_of_text(rows[row].user)));
        assert_true(span_equal(plain.password, span_of_text(rows[row].password)));
    }
}

static void lines_are_decoded(void **state)
{
    (void)state;
    static const struct {
        span_t line;
        int result;
        const char *decoded;
    } rows[] = {
        {SPAN("YWxpY2U="), SASL_OK, "alice"}, {SPAN("="), SASL_OK, ""},          {SPAN(""), SASL_OK, ""},
        {SPAN("*"), SASL_CANCELLED, ""},      {SPAN("YW*"), SASL_MALFORMED, ""},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO_BUF struct buf message = {0};
        buf_init(&message, 100);
        assert_int_equal(sasl_line_decode(rows[row].line, &message), rows[row].result);
        assert_true(span_equal(buf_span(&message), span_of_text(rows[row].decoded)));
    }
}

static void mechanisms_are_found_in_any_case(void **state)
{
    (void)state;
    enum sasl_mechanism mechanism;
    assert_true(sasl_mechanism_find(SPAN("scram-sha-256-plus"), &mechanism));
    assert_int_equal(mechanism, SASL_SCRAM_SHA_256_PLUS);
    assert_true(sasl_mechanism_find(SPAN("PLAIN"), &mechanism));
    assert_string_equal(sasl_mechanism_name(mechanism), "PLAIN");
    assert_false(sasl_mechanism_find(SPAN("CRAM-MD5"), &mechanism));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_messages_are_taken_apart),
        cmocka_unit_test(lines_are_decoded),
        cmocka_unit_test(mechanisms_are_found_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
