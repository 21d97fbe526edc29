#include "base/test.h"

#include "base/buf.h"
#include "mime/term.h"

static const struct {
    const char *text;
    const char *terms; /* w: word, i: identifier, p: pair; ~ cut, ^ leading, $ final */
} rows[] = {
    {"hello, world", "w^hello w$world"},
    {" hello ", "whello"},
    {"a1b2", "w^$a1b2"},
    {"a1b2c3d4e5f6", "i^$a1b2c3d4e5f6"},
    {"20261121072214", "i^$20261121072214"},
    {"twelveletters", "w^$twelveletters"},
    {"\346\227\245\346\234\254\350\252\236", "p^\346\227\245\346\234\254 p$\346\234\254\350\252\236"},
    {"\346\227\245", "p^$\346\227\245"},
    {"\346\227\245 \346\234\254", "p^\346\227\245 p$\346\234\254"},
    {"x\346\227\245\346\234\254y", "w^x p\346\227\245\346\234\254 w$y"},
    {"\320\274\320\270\321\200", "w^$\320\274\320\270\321\200"},
    {"\340\270\234\340\270\201", "p^$\340\270\234\340\270\201"},
    {"...", ""},
    {"", ""},
    {"0123456789012345678901234567890123456789012345678901234567890123456789",
     "i~^$0123456789012345678901234567890123456789012345678901234567890123"},
};

static void text_is_split_into_terms(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf seen AUTO_BUF;
        buf_init(&seen, 1000);
        struct mime_terms terms;
        struct mime_term term;
        mime_terms_init(&terms, span_of_text(rows[i].text));
        while (mime_terms_next(&terms, &term)) {
            buf_append_format(&seen, "%s%c%s%s%s", buf_len(&seen) > 0 ? " " : "", "wip"[term.kind],
                              term.is_cut ? "~" : "", term.is_leading ? "^" : "", term.is_final ? "$" : "");
            buf_append(&seen, term.text);
        }
        buf_append_byte(&seen, 0);
        assert_string_equal((const char *)buf_span(&seen).at, rows[i].terms);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(text_is_split_into_terms)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
