#include "base/test.h"

#include "role/keeper/passphrase.h"

static void one_password_has_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *form;
    } rows[] = {
        {"correct horse", "correct horse"},
        {"Gr\xc3\xbcn", "Gr\xc3\xbcn"},
        {"Gru\xcc\x88n", "Gr\xc3\xbcn"},
        {"a\xc2\xa0z", "a z"},
        {"a\xe3\x80\x80z", "a z"},
        {"not \xff utf-8", "not \xff utf-8"},
        {"", ""},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO(secret) struct secret *prepared = NULL;
        assert_int_equal(passphrase_prepare(span_of_text(rows[row].typed), &prepared), 0);
        assert_true(span_equal(secret_span(prepared), span_of_text(rows[row].form)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_password_has_one_form)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
