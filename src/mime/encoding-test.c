#include "base/test.h"

#include "mime/encoding.h"

struct row {
    enum mime_encoding encoding;
    const char *text;
    const char *expected;
};

static const struct row rows[] = {
    {MIME_ENCODING_BASE64, "Zm9vYmFy", "foobar"},
    {MIME_ENCODING_BASE64, "Zm9v\r\nYmE=\r\n", "fooba"},
    {MIME_ENCODING_BASE64, "Zg==Zg==", "ff"},
    {MIME_ENCODING_BASE64, "Z!m#9v", "foo"},
    {MIME_ENCODING_BASE64, "Zm9vYg", "foob"},
    {MIME_ENCODING_BASE64, "Z", ""},
    {MIME_ENCODING_BASE64, "====", ""},
    {MIME_ENCODING_QUOTED_PRINTABLE, "a=3Db=e9", "a=b\xe9"},
    {MIME_ENCODING_QUOTED_PRINTABLE, "soft=\r\n break=\nx= \t\r\ny", "soft breakxy"},
    {MIME_ENCODING_QUOTED_PRINTABLE, "tail  \t\r\nx \ny", "tail\r\nx\ny"},
    {MIME_ENCODING_QUOTED_PRINTABLE, "a=ZZ=4 =4=41=", "a=ZZ=4 =4A"},
    {MIME_ENCODING_QUOTED_PRINTABLE, "a\rb  c", "a\rb  c"},
    {MIME_ENCODING_QUOTED_PRINTABLE, "==41", "=A"},
    {MIME_ENCODING_7BIT, "as =41 is", "as =41 is"},
    {MIME_ENCODING_UNKNOWN, "as =41 is", "as =41 is"},
};

static void bodies_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf decoded;
        buf_init(&decoded, 1000);
        assert_int_equal(mime_decode(rows[i].encoding, span_of_text(rows[i].text), &decoded), 0);
        assert_true(span_equal(buf_span(&decoded), span_of_text(rows[i].expected)));
    }
}

static void pieces_decode_as_the_whole_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf decoded;
        struct mime_decoder decoder;
        span_t text = span_of_text(rows[i].text);
        buf_init(&decoded, 1000);
        mime_decoder_init(&decoder, rows[i].encoding);
        for (size_t at = 0; at < text.len; at++)
            assert_int_equal(mime_decoder_push(&decoder, span_slice(text, at, 1), &decoded), 0);
        assert_int_equal(mime_decoder_finish(&decoder, &decoded), 0);
        assert_true(span_equal(buf_span(&decoded), span_of_text(rows[i].expected)));
    }
}

static void what_is_encoded_decodes_to_itself(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t len = 0; len < sizeof(bytes); len += 37) {
        AUTO_BUF struct buf text;
        AUTO_BUF struct buf decoded;
        buf_init(&text, 10000);
        buf_init(&decoded, 10000);
        assert_int_equal(mime_base64_encode(span_of(bytes, len), &text), 0);
        assert_int_equal(mime_decode(MIME_ENCODING_BASE64, buf_span(&text), &decoded), 0);
        assert_true(span_equal(buf_span(&decoded), span_of(bytes, len)));
    }
}

static void quoted_printable_keeps_text_and_line_lengths(void **state)
{
    (void)state;
    span_t text = SPAN("trailing space \r\nequals = sign, \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 and a line "
                       "that is much too long for the seventy-six characters a line may have\r\n\ttab\t\r\n.");
    AUTO_BUF struct buf encoded;
    AUTO_BUF struct buf decoded;
    buf_init(&encoded, 10000);
    buf_init(&decoded, 10000);
    assert_int_equal(mime_quoted_printable_encode(text, &encoded), 0);
    assert_int_equal(mime_decode(MIME_ENCODING_QUOTED_PRINTABLE, buf_span(&encoded), &decoded), 0);
    assert_true(span_equal(buf_span(&decoded), text));
    span_t rest = buf_span(&encoded);
    span_t line;
    while (span_cut(&rest, '\n', &line))
        assert_true(span_trim(line).len <= 76);
}

static void encodings_have_names(void **state)
{
    (void)state;
    assert_int_equal(mime_encoding_parse(SPAN(" BASE64 ")), MIME_ENCODING_BASE64);
    assert_int_equal(mime_encoding_parse(SPAN("quoted-printable; x")), MIME_ENCODING_QUOTED_PRINTABLE);
    assert_int_equal(mime_encoding_parse(SPAN_NONE), MIME_ENCODING_7BIT);
    assert_int_equal(mime_encoding_parse(SPAN("8bits")), MIME_ENCODING_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_decode),
        cmocka_unit_test(pieces_decode_as_the_whole_does),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
        cmocka_unit_test(quoted_printable_keeps_text_and_line_lengths),
        cmocka_unit_test(encodings_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
