#include "base/test.h"

#include "mime/downgrade.h"
#include "mime/utf8.h"

#define LOST "<invalid@internationalized-address.invalid>"

/* A header field with UTF-8, and how it is shown without. */
static const struct row {
    const char *field;
    const char *ascii;
} rows[] = {
    {"Subject: plain\r\n", "Subject: plain\r\n"},
    {"Subject: gr\xc3\xbc\xc3\x9f\r\n", "Subject: =?utf-8?B?Z3LDvMOf?=\r\n"},
    {"From: \xc3\xbc <a@b.test>\r\n", "From: =?utf-8?B?w7w=?= <a@b.test>\r\n"},
    {"From: \"\xc3\xbc, x\" <a@b.test>\r\n", "From: =?utf-8?B?w7wsIHg=?= <a@b.test>\r\n"},
    {"From: Bo \"x\\\" y\" <\xc3\xbc@b.test>\r\n", "From: \"Bo x\\\" y\" " LOST "\r\n"},
    {"To: \xc3\xbc@b.test\r\n", "To: =?utf-8?B?w7xAYi50ZXN0?= " LOST "\r\n"}, /* RFC 6858 §2.1 */
    {"To: a@b.test, \xc3\xbc <c@d.test>\r\n", "To: <a@b.test>,\r\n =?utf-8?B?w7w=?= <c@d.test>\r\n"},
    {"Cc: \xc3\xbc: a@b.test, \"c d\"@e.test;\r\n", "Cc: =?utf-8?B?w7w=?=:<a@b.test>,\r\n <\"c d\"@e.test>;\r\n"},
    {"Cc: \xc3\xbc:;\r\n", "Cc: =?utf-8?B?w7w=?=:;\r\n"},
    {"Content-Type: text/plain; name=\"\xc3\xbc.txt\"\r\n", "Content-Type: text/plain; name=\"?.txt\"\r\n"},
    {"Received: from \xc3\xbc.test by x\r\n", ""},
    {"X-Unknown: \xc3\xbc\r\n", ""},
};

static void fields_are_shown_in_ascii(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf header;
        AUTO_BUF struct buf ascii;
        AUTO_BUF struct buf expected;
        buf_init(&header, 1000);
        buf_init(&ascii, 1000);
        buf_init(&expected, 1000);
        buf_append_format(&header, "Date: x\r\n%sMessage-ID: <1@x>\r\n\r\n", rows[i].field);
        buf_append_format(&expected, "Date: x\r\n%sMessage-ID: <1@x>\r\n\r\n", rows[i].ascii);
        assert_int_equal(mime_downgrade_header(buf_span(&header), &ascii), 0);
        if (!span_equal(buf_span(&ascii), buf_span(&expected)))
            fail_msg("%s: %.*s", rows[i].field, SPAN_PRINT(buf_span(&ascii)));
    }
}

static void only_valid_utf8_needs_it(void **state)
{
    (void)state;
    assert_false(mime_downgrade_needed(SPAN("Subject: x\r\n\r\n")));
    assert_true(mime_downgrade_needed(SPAN("Subject: \xc3\xbc\r\n\r\n")));
    assert_false(mime_downgrade_needed(SPAN("Subject: \xfc\r\n\r\n")));
}

static void a_buffer_that_is_too_small_is_a_fault(void **state)
{
    AUTO_BUF struct buf ascii;
    (void)state;
    buf_init(&ascii, 40);
    assert_true(mime_downgrade_header(SPAN("To: \xc3\xbc@b, \xc3\xbc@c\r\n\r\n"), &ascii) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_shown_in_ascii),
        cmocka_unit_test(only_valid_utf8_needs_it),
        cmocka_unit_test(a_buffer_that_is_too_small_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
