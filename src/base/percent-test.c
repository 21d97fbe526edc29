#include "base/test.h"

#include "base/percent.h"

#include <errno.h>

static const struct {
    const char *text;
    int result;
    const char *bytes;
} rows[] = {
    {"", 0, ""},           {"plain", 0, "plain"}, {"a%40b", 0, "a@b"}, {"%2c%2C", 0, ",,"},
    {"100%25", 0, "100%"}, {"%", -EINVAL, ""},    {"%4", -EINVAL, ""}, {"%zz", -EINVAL, ""},
};

static void percent_signs_are_undone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        span_t bytes = SPAN_NONE;
        assert_int_equal(arena_new(4096, &arena), 0);
        assert_int_equal(percent_decode(span_of_text(rows[i].text), arena, &bytes), rows[i].result);
        if (rows[i].result == 0)
            assert_true(span_equal(bytes, span_of_text(rows[i].bytes)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(percent_signs_are_undone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
