#include "base/test.h"

#include "trust/rspamd/verdict.h"

static void verdicts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int result;
        enum rspamd_action action;
        double score;
        size_t symbols, added, removed;
        const char *subject, *reply;
    } rows[] = {
        {"{\"is_skipped\":false,\"score\":5.2,\"required_score\":15.0,\"action\":\"no "
         "action\",\"symbols\":{\"A\":{\"name\":\"A\","
         "\"score\":1},\"B\":{}},\"messages\":{}}",
         RSPAMD_OK, RSPAMD_NO_ACTION, 5.2, 2, 0, 0, "", ""},
        {"{\"score\":20,\"action\":\"reject\",\"messages\":{\"smtp_message\":\"Gtube pattern\"}}", RSPAMD_OK,
         RSPAMD_REJECT, 20, 0, 0, 0, "", "Gtube pattern"},
        {"{\"score\":8,\"action\":\"rewrite subject\",\"subject\":\"*** SPAM *** x\"}", RSPAMD_OK,
         RSPAMD_REWRITE_SUBJECT, 8, 0, 0, 0, "*** SPAM *** x", ""},
        {"{\"action\":\"add "
         "header\",\"milter\":{\"add_headers\":{\"X-Spam\":\"Yes\",\"X-A\":{\"value\":\"b\",\"order\":0},"
         "\"X-B\":[\"1\",{\"value\":\"2\"}]},\"remove_headers\":{\"X-Old\":0}}}",
         RSPAMD_OK, RSPAMD_ADD_HEADER, 0, 0, 4, 1, "", ""},
        {"{\"action\":\"add header\",\"milter\":{\"add_headers\":{\"X:Y\":\"1\",\"X-C\":\"a\\r\\nEvil: 1\",\"\":\"x\"},"
         "\"remove_headers\":{\"a b\":0}},\"messages\":{\"smtp_message\":\"a\\r\\n250 ok\"}}",
         RSPAMD_OK, RSPAMD_ADD_HEADER, 0, 0, 0, 0, "", ""},
        {"{\"action\":\"soft reject\",\"symbols\":[1],\"milter\":3}", RSPAMD_OK, RSPAMD_SOFT_REJECT, 0, 0, 0, 0, "",
         ""},
        {"{\"action\":\"something new\"}", RSPAMD_MALFORMED, 0, 0, 0, 0, 0, NULL, NULL},
        {"{\"error\":\"cannot parse\"}", RSPAMD_MALFORMED, 0, 0, 0, 0, 0, NULL, NULL},
        {"[]", RSPAMD_MALFORMED, 0, 0, 0, 0, 0, NULL, NULL},
        {"", RSPAMD_MALFORMED, 0, 0, 0, 0, 0, NULL, NULL},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO(arena) struct arena *arena = NULL;
        struct rspamd_verdict verdict;
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        assert_int_equal(rspamd_verdict_read(span_of_text(rows[row].json), arena, &verdict), rows[row].result);
        if (rows[row].result != RSPAMD_OK)
            continue;
        assert_int_equal(verdict.action, rows[row].action);
        assert_true(verdict.score > rows[row].score - 0.01 && verdict.score < rows[row].score + 0.01);
        assert_int_equal(verdict.symbol_count, rows[row].symbols);
        assert_int_equal(verdict.add_count, rows[row].added);
        assert_int_equal(verdict.remove_count, rows[row].removed);
        assert_true(span_equal(verdict.subject, span_of_text(rows[row].subject)));
        assert_true(span_equal(verdict.reply, span_of_text(rows[row].reply)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
