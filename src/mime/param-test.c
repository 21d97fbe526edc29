#include "base/test.h"

#include "base/buf.h"
#include "mime/param.h"

static void parameters_are_decoded(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"; name=a.txt", "name", "a.txt"},
        {";name = \"a b.txt\" ; x=y", "name", "a b.txt"},
        {"; x=y; NAME=\"q\\\"uote\"", "name", "q\"uote"},
        {"; x=(c) ; name=a.txt (comment)", "name", "a.txt"},
        {"; name=my long name.txt; x=1", "name", "my long name.txt"},
        {"; name=\"never ends", "name", "never ends"},
        {"; ;; name=a", "name", "a"},
        {"; name", "name", NULL},
        {"; x=name=a", "name", NULL},
        {"; name*=utf-8''%e2%82%ac.txt", "name", "\xe2\x82\xac.txt"},
        {"; name*=iso-8859-1'en'%A3", "name", "\xc2\xa3"},
        {"; name*0=\"a\"; name*1=b; name*2=\"c\"", "name", "abc"},
        {"; name*1*=%20b; name*0*=us-ascii''a; name*2=\" c%20\"", "name", "a b c%20"},
        {"; name*0*=utf-8''%c3; name*1*=%a9", "name", "\xc3\xa9"}, /* a character cut in two */
        {"; name=plain; name*=utf-8''better", "name", "better"},
        {"; name*=noquotes%41", "name", "noquotesA"},
        {"; name*=utf-8''%zz%4", "name", "%zz%4"},
        {"; name=\"=?utf-8?B?w6k=?=.txt\"", "name", "\xc3\xa9.txt"},
        {"; name=\"caf\xe9\"", "name", "caf\xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        struct mime_param *params = NULL;
        span_t value;
        assert_int_equal(arena_new(10000, &arena), 0);
        assert_int_equal(mime_param_parse(span_of_text(rows[i][0]), arena, &params), 0);
        assert_int_equal(mime_param_decode(params, span_of_text(rows[i][1]), arena, &value), 0);
        assert_int_equal(value.at == NULL, rows[i][2] == NULL);
        assert_true(span_equal(value, span_of_text(rows[i][2])));
    }
}

static void parameters_are_bounded(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf text;
    struct mime_param *params = NULL;
    assert_int_equal(arena_new(100000, &arena), 0);
    buf_init(&text, 100000);
    for (unsigned i = 0; i < 1000; i++)
        buf_append_format(&text, ";p%u=%u", i, i);
    assert_int_equal(mime_param_parse(buf_span(&text), arena, &params), 0);
    size_t count = 0;
    for (; params != NULL; params = params->next)
        count++;
    assert_int_equal(count, MIME_PARAM_COUNT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_decoded),
        cmocka_unit_test(parameters_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
