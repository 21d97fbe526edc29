#include "base/test.h"

#include "proto/smtp/xtext.h"

static void it_is_written_and_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *xtext;
    } rows[] = {{"bob@example.org", "bob@example.org"},
                {"a+b=c d@x", "a+2Bb+3Dc+20d@x"},
                {"m\xc3\xbc@x", "m\xc3\xbc@x"},
                {"", ""}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf xtext;
        AUTO_BUF struct buf text;
        buf_init(&xtext, 256);
        buf_init(&text, 256);
        assert_int_equal(smtp_xtext_write(span_of_text(rows[i].text), &xtext), 0);
        assert_true(span_equal(buf_span(&xtext), span_of_text(rows[i].xtext)));
        assert_int_equal(smtp_xtext_read(buf_span(&xtext), &text), 0);
        assert_true(span_equal(buf_span(&text), span_of_text(rows[i].text)));
    }
}

static void control_characters_do_not_come_out(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    buf_init(&text, 256);
    assert_int_equal(smtp_xtext_read(SPAN("a+0D+0Ab+7F+2"), &text), 0);
    assert_true(span_equal(buf_span(&text), SPAN("a??b?+2")));
}

static void an_address_comes_back_from_orcpt(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"a+b@x.test", "rfc822;a+2Bb@x.test"}, {"\xc3\xbc@x", "utf-8;\xc3\xbc@x"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf orcpt;
        AUTO_BUF struct buf address;
        buf_init(&orcpt, 256);
        buf_init(&address, 256);
        assert_int_equal(smtp_orcpt_write(span_of_text(rows[i][0]), &orcpt), 0);
        assert_true(span_equal(buf_span(&orcpt), span_of_text(rows[i][1])));
        assert_int_equal(smtp_orcpt_read(buf_span(&orcpt), &address), 0);
        assert_true(span_equal(buf_span(&address), span_of_text(rows[i][0])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written_and_read),
        cmocka_unit_test(an_address_comes_back_from_orcpt),
        cmocka_unit_test(control_characters_do_not_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
