#include "base/test.h"

#include "trust/clamd/reply.h"

static void answers_are_read(void **state)
{
    (void)state;
    static const struct {
        span_t reply;
        enum clamd_result result;
        const char *words;
    } rows[] = {
        {SPAN("stream: OK\0"), CLAMD_CLEAN, "OK"},
        {SPAN("stream: OK\n"), CLAMD_CLEAN, "OK"},
        {SPAN("stream: Win.Test.EICAR_HDB-1 FOUND\0"), CLAMD_FOUND, "Win.Test.EICAR_HDB-1"},
        {SPAN("stream: a\rb FOUND"), CLAMD_FOUND, "a"},
        {SPAN("INSTREAM size limit exceeded. ERROR\0"), CLAMD_FAULT, "INSTREAM size limit exceeded. ERROR"},
        {SPAN("stream: Can't allocate memory ERROR"), CLAMD_FAULT, "Can't allocate memory ERROR"},
        {SPAN("OK"), CLAMD_FAULT, "OK"},
        {SPAN("x FOUND"), CLAMD_FAULT, "x FOUND"},
        {SPAN(""), CLAMD_FAULT, ""},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        span_t words;
        assert_int_equal(clamd_reply_parse(rows[row].reply, &words), rows[row].result);
        assert_true(span_equal(words, span_of_text(rows[row].words)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
