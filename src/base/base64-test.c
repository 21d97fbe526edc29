#include "base/test.h"

#include <errno.h>

#include "base/base64.h"

static void rfc4648_examples_go_both_ways(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text;
        AUTO_BUF struct buf bytes;
        buf_init(&text, 100);
        buf_init(&bytes, 100);
        assert_int_equal(base64_encode(span_of_text(rows[i][0]), &text), 0);
        assert_true(span_equal(buf_span(&text), span_of_text(rows[i][1])));
        assert_int_equal(base64_decode(buf_span(&text), &bytes), 0);
        assert_true(span_equal(buf_span(&bytes), span_of_text(rows[i][0])));
    }
}

static void anything_but_canonical_base64_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9v", "Zm9v\n"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf bytes;
        buf_init(&bytes, 100);
        assert_int_equal(base64_decode(span_of_text(rows[i]), &bytes), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4648_examples_go_both_ways),
        cmocka_unit_test(anything_but_canonical_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
