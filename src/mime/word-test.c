#include "base/test.h"

#include "mime/charset.h"
#include "mime/word.h"

static void assert_decodes(const char *value, const char *expected)
{
    AUTO_BUF struct buf utf8;
    buf_init(&utf8, 10000);
    assert_int_equal(mime_word_decode(span_of_text(value), &utf8), 0);
    assert_int_equal(buf_append_byte(&utf8, 0), 0);
    assert_string_equal((const char *)buf_span(&utf8).at, expected);
}

static void encoded_words_become_utf8(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"plain text", "plain text"},
        {"", ""},
        {"=?ISO-8859-1?Q?a?=", "a"},
        {"=?ISO-8859-1?Q?a?= b", "a b"},
        {"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
        {"=?ISO-8859-1?Q?a?=  \r\n  =?ISO-8859-1?Q?b?=", "ab"},
        {"=?ISO-8859-1?Q?a_b?=", "a b"},
        {"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
        {"=?iso-8859-1?q?Andr=E9?= Pirard", "Andr\xc3\xa9 Pirard"},
        {"=?utf-8?B?w6k=?=", "\xc3\xa9"},
        {"=?utf-8*en?B?w6k?=", "\xc3\xa9"},
        {"=?utf-8?B?ww==?= =?utf-8?B?qQ==?=", "\xc3\xa9"},
        {"=?utf-8?Q?=C3?= =?UTF-8?Q?=A9?=", "\xc3\xa9"}, /* a character cut in two */
        {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac"},
        {"=?gb2312?B?1tDOxA==?=", "\xe4\xb8\xad\xe6\x96\x87"},
        {"=?koi8-r?Q?=F4=C5=D3=D4?=", "\xd0\xa2\xd0\xb5\xd1\x81\xd1\x82"},
        {"=?no-such?Q?=E9?=", "\xc3\xa9"},
        {"=?utf-8?X?a?=", "=?utf-8?X?a?="},
        {"=?utf-8?Q?a", "=?utf-8?Q?a"},
        {"a =?utf-8?Q?=0d=0ab?= c", "a   b c"}, /* no line end gets out of a word */
        {"=?utf-8?Q?with space?=", "with space"},
        {"x\r\n y\tz", "x y z"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"caf\xe9", "caf\xc3\xa9"},
        {"=?utf-8?Q?=XY?=", "=XY"},
        {"=?", "=?"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_decodes(rows[i][0], rows[i][1]);
    charset_cache_clear();
}

static void what_is_encoded_decodes_to_itself(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "plain",
        "Gr\xc3\xbc\xc3\x9f"
        "e",
        "=?not a word",
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text;
        buf_init(&text, 1000);
        assert_int_equal(mime_word_encode(span_of_text(rows[i]), &text), 0);
        assert_true(ascii_is_clean(buf_span(&text)));
        span_t rest = buf_span(&text);
        span_t line;
        while (span_cut(&rest, '\n', &line))
            assert_true(line.len <= 77);
        assert_int_equal(buf_append_byte(&text, 0), 0);
        assert_decodes((const char *)buf_span(&text).at, rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoded_words_become_utf8),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
