#include "base/test.h"

#include "mime/charset.h"

static const struct {
    const char *charset;
    const char *bytes;
    const char *expected;
} rows[] = {
    {"utf-8", "\xc3\xa9", "\xc3\xa9"},
    {"utf-8", "a\xe2\x82\xac", "a\xe2\x82\xac"},
    {"utf-8", "a\xc3\xa9\xc3(", "a\xc3\xa9\xef\xbf\xbd("},
    {"utf-8", "\xc3\xa9\xe2\x82", "\xc3\xa9\xef\xbf\xbd"},
    {"iso-8859-1", "\xe9\x80", "\xc3\xa9\xe2\x82\xac"},
    {"ISO-8859-15", "\xa4", "\xe2\x82\xac"},
    {"\"windows-1251\"", "\xcf", "\xd0\x9f"},
    {"shift_jis", "\x93\xfa", "\xe6\x97\xa5"},
    {"iso-2022-jp", "\x1b$BF|\x1b(B.", "\xe6\x97\xa5."},
    {"gb18030", "\x94\x39\xda\x33", "\xf0\x9f\x92\xa9"}, /* outside the basic plane */
    {"utf-7", "+AOk-", "\xc3\xa9"},
    {"us-ascii", "caf\xe9", "caf\xc3\xa9"},
    {"us-ascii", "caf\xc3\xa9", "caf\xc3\xa9"},
    {"no-such-charset", "caf\xe9", "caf\xc3\xa9"},
    {"", "caf\xe9", "caf\xc3\xa9"},
    {"../../etc/passwd", "x", "x"},
    {"euc-jp,swaplfnl", "x", "x"},
    {"euc-jp", "\xc6\xfc\xff", "\xe6\x97\xa5\xef\xbf\xbd"},
};

static void charsets_become_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf utf8;
        buf_init(&utf8, 1000);
        assert_int_equal(charset_to_utf8(span_of_text(rows[i].charset), span_of_text(rows[i].bytes), &utf8), 0);
        assert_true(span_equal(buf_span(&utf8), span_of_text(rows[i].expected)));
    }
}

static void a_character_may_be_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf utf8;
        AUTO(charset_reader) struct charset_reader *reader = NULL;
        span_t bytes = span_of_text(rows[i].bytes);
        buf_init(&utf8, 1000);
        assert_int_equal(charset_reader_new(span_of_text(rows[i].charset), &reader), 0);
        for (size_t at = 0; at < bytes.len; at++)
            assert_int_equal(charset_reader_push(reader, span_slice(bytes, at, 1), &utf8), 0);
        assert_int_equal(charset_reader_finish(reader, &utf8), 0);
        assert_true(span_equal(buf_span(&utf8), span_of_text(rows[i].expected)));
        assert_true(utf8_is_valid(buf_span(&utf8)));
    }
}

static void converters_are_reused_within_bounds(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i < 16; i++) {
            AUTO_BUF struct buf name;
            buf_init(&name, 100);
            buf_append_format(&name, "iso-8859-%u", i);
            assert_int_equal(charset_is_known(buf_span(&name)), i != 12);
        }
    }
    assert_false(charset_is_known(SPAN("no-such-charset")));
    assert_false(charset_is_known(SPAN_NONE));
    charset_cache_clear();
}

static void utf8_is_held_to_its_rules(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",         "\xc0\x80",         "\xc3", "\xe0\x80\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(utf8_is_valid(span_of_text(bad[i])));
    assert_true(utf8_is_valid(SPAN("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa9 and plain text")));
    span_t rest = SPAN("\xf0\x9f\x92\xa9");
    assert_int_equal(utf8_next(&rest), 0x1f4a9);
    assert_int_equal(rest.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charsets_become_utf8),
        cmocka_unit_test(a_character_may_be_cut),
        cmocka_unit_test(converters_are_reused_within_bounds),
        cmocka_unit_test(utf8_is_held_to_its_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
