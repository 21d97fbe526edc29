#include "base/test.h"

#include "role/keeper/name.h"

static void addresses_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        const char *form; /* NULL: none */
    } rows[] = {
        {"Alice@Demo.Test", "alice@demo.test"},
        {"\"alice\"@demo.test", "alice@demo.test"},
        {"\"a\\\"b@c\"@demo.test", "a\"b@c@demo.test"},
        {"J\xc3\x96RG@B\xc3\x9c"
         "CHER.example",
         "j\xc3\xb6rg@xn--bcher-kva.example"},
        {"jo\xcc\x88rg@xn--BCHER-kva.example", "j\xc3\xb6rg@xn--bcher-kva.example"},
        {"a+tag@demo.test.", "a+tag@demo.test"},
        {"alice", NULL},
        {"@demo.test", NULL},
        {"alice@", NULL},
        {"ali\nce@demo.test", NULL},
        {"alice@demo_test", NULL},
        {"alice@-demo.test", NULL},
        {"\"alice@demo.test", NULL},
        {"\xff@demo.test", NULL},
        {"", NULL},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct name name;
        AUTO_BUF struct buf text = {0};
        buf_init(&text, 600);
        int result = name_parse(span_of_text(rows[row].address), &name);
        if (result != (rows[row].form == NULL ? NAME_BAD : NAME_OK))
            fail_msg("%s: %d", rows[row].address, result);
        if (result != NAME_OK)
            continue;
        assert_int_equal(name_write(&name, &text), 0);
        assert_true(span_equal(buf_span(&text), span_of_text(rows[row].form)));
    }
}

static void a_pattern_may_be_a_catch_all(void **state)
{
    (void)state;
    struct name name;
    assert_int_equal(name_parse_pattern(SPAN("@Demo.test"), &name), NAME_OK);
    assert_string_equal(name.local, "");
    assert_string_equal(name.domain, "demo.test");
}

static void details_are_cut_off(void **state)
{
    (void)state;
    struct name name;
    assert_int_equal(name_parse(SPAN("alice+a+b@demo.test"), &name), NAME_OK);
    assert_true(name_cut_detail(&name));
    assert_string_equal(name.local, "alice");
    assert_false(name_cut_detail(&name));
    assert_int_equal(name_parse(SPAN("+alice@demo.test"), &name), NAME_OK);
    assert_false(name_cut_detail(&name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(a_pattern_may_be_a_catch_all),
        cmocka_unit_test(details_are_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
