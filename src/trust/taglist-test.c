#include "base/test.h"

#include "trust/taglist.h"

static void lists_are_read_as_the_rfc_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum taglist_result result;
        size_t count;
        const char *name, *value;
    } rows[] = {
        {"v=DKIM1; p=abc", TAGLIST_OK, 2, "p", "abc"},
        {"v=DKIM1;p=abc;", TAGLIST_OK, 2, "p", "abc"},
        {" a = one two \r\n three ;\r\n b=", TAGLIST_OK, 2, "a", "one two \r\n three"},
        {" a = x ; \r\n ", TAGLIST_OK, 1, "a", "x"},
        {"p=", TAGLIST_OK, 1, "p", ""},
        {"p=a=b==", TAGLIST_OK, 1, "p", "a=b=="},
        {"a=1;A=2", TAGLIST_OK, 2, "A", "2"},
        {"a=1;a=2", TAGLIST_MALFORMED, 0, NULL, NULL},
        {"a=1;;b=2", TAGLIST_MALFORMED, 0, NULL, NULL},
        {"a=1;;", TAGLIST_MALFORMED, 0, NULL, NULL},
        {"a", TAGLIST_MALFORMED, 0, NULL, NULL},
        {"=1", TAGLIST_MALFORMED, 0, NULL, NULL},
        {"1a=1", TAGLIST_MALFORMED, 0, NULL, NULL},
        {"a b=1", TAGLIST_MALFORMED, 0, NULL, NULL},
        {"", TAGLIST_MALFORMED, 0, NULL, NULL},
        {";", TAGLIST_MALFORMED, 0, NULL, NULL},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct taglist list;
        assert_int_equal(taglist_parse(span_of_text(rows[row].text), &list), rows[row].result);
        if (rows[row].result != TAGLIST_OK)
            continue;
        assert_int_equal(list.count, rows[row].count);
        span_t value = taglist_value(&list, rows[row].name);
        assert_non_null(value.at);
        assert_true(span_equal(value, span_of_text(rows[row].value)));
        assert_null(taglist_value(&list, "none").at);
    }
}

static void the_version_stands_first(void **state)
{
    (void)state;
    struct taglist list;
    assert_int_equal(taglist_parse(SPAN("v=STSv1; id=1"), &list), TAGLIST_OK);
    assert_true(taglist_is_version(&list, "STSv1"));
    assert_false(taglist_is_version(&list, "STSv"));
    assert_int_equal(taglist_parse(SPAN("id=1; v=STSv1"), &list), TAGLIST_OK);
    assert_false(taglist_is_version(&list, "STSv1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_as_the_rfc_writes_them),
        cmocka_unit_test(the_version_stands_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
