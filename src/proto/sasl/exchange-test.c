#include "base/test.h"

#include <string.h>

#include "proto/sasl/exchange.h"

/* What the client says, and what comes of it. */
struct row {
    const char *line;
    enum sasl_step step;
};

static const struct script {
    enum sasl_mechanism mechanism;
    const char *initial; /* NULL: none */
    enum sasl_step first;
    struct row rows[3];
    size_t count;
    const char *user;
    const char *password;
} scripts[] = {
    {SASL_PLAIN, "AGEAYg==", SASL_STEP_LOGIN, {{0}}, 0, "a", "b"},                         /* RFC 4616 §2 */
    {SASL_PLAIN, NULL, SASL_STEP_CHALLENGE, {{"AGEAYg==", SASL_STEP_LOGIN}}, 1, "a", "b"}, /* RFC 4954 §4 */
    {SASL_PLAIN, NULL, SASL_STEP_CHALLENGE, {{"*", SASL_STEP_CANCELLED}}, 1, NULL, NULL},  /* RFC 4954 §4 */
    {SASL_PLAIN, "=", SASL_STEP_MALFORMED, {{0}}, 0, NULL, NULL},                          /* empty */
    {SASL_PLAIN, "AGEAYg", SASL_STEP_MALFORMED, {{0}}, 0, NULL, NULL},                     /* no padding */
    {SASL_PLAIN, "YmVlAGEAYg==", SASL_STEP_MALFORMED, {{0}}, 0, NULL, NULL},               /* as somebody else */
    {SASL_LOGIN, NULL, SASL_STEP_CHALLENGE, {{"YQ==", SASL_STEP_CHALLENGE}, {"Yg==", SASL_STEP_LOGIN}}, 2, "a", "b"},
    {SASL_LOGIN, "YQ==", SASL_STEP_CHALLENGE, {{"Yg==", SASL_STEP_LOGIN}, {"Yg==", SASL_STEP_MALFORMED}}, 2, "a", "b"},
    {SASL_LOGIN, NULL, SASL_STEP_CHALLENGE, {{"", SASL_STEP_MALFORMED}}, 1, NULL, NULL},
    {SASL_SCRAM_SHA_256, /* RFC 5802 §5 */
     "YQ==",
     SASL_STEP_SCRAM_START,
     {{"Yg==", SASL_STEP_SCRAM_FINISH}, {"", SASL_STEP_SCRAM_END}},
     2,
     NULL,
     NULL},
    {SASL_SCRAM_SHA_256,
     "YQ==",
     SASL_STEP_SCRAM_START,
     {{"Yg==", SASL_STEP_SCRAM_FINISH}, {"YQ==", SASL_STEP_MALFORMED}},
     2,
     NULL,
     NULL},
};

static void exchanges_go_as_their_rfcs_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        const struct script *script = &scripts[i];
        struct sasl_exchange exchange;
        sasl_exchange_init(&exchange);
        assert_int_equal(sasl_exchange_start(&exchange, script->mechanism, span_of_text(script->initial)),
                         script->first);
        for (size_t j = 0; j < script->count; j++)
            if (sasl_exchange_feed(&exchange, span_of_text(script->rows[j].line)) != script->rows[j].step)
                fail_msg("script %zu, line %zu", i, j);
        if (script->user != NULL) {
            assert_true(span_equal(buf_span(&exchange.user), span_of_text(script->user)));
            assert_true(span_equal(buf_span(&exchange.password), span_of_text(script->password)));
        }
        sasl_exchange_deinit(&exchange);
    }
}

static void what_is_too_long_is_malformed(void **state)
{
    char line[4001];
    struct sasl_exchange exchange;
    (void)state;
    memset(line, 'A', 4000);
    line[4000] = '\0';
    sasl_exchange_init(&exchange);
    assert_int_equal(sasl_exchange_start(&exchange, SASL_SCRAM_SHA_256, span_of_text(line)), SASL_STEP_MALFORMED);
    sasl_exchange_deinit(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_go_as_their_rfcs_say),
        cmocka_unit_test(what_is_too_long_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
