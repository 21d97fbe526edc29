#include "base/test.h"

#include <string.h>

#include "mime/message.h"
#include "mime/sevenbit.h"

#define E8 "\xc3\xa9"

static int convert(const char *message, struct buf *out)
{
    AUTO(arena) struct arena *arena = NULL;
    buf_init(out, 1U << 20);
    assert_int_equal(arena_new(MIME_ARENA_MAX, &arena), 0);
    return mime_sevenbit(span_of_text(message), arena, out);
}

static void needs_are_told_apart(void **state)
{
    (void)state;
    char line[1100];
    memset(line, 'x', sizeof(line));
    memcpy(line + 998, "\r\n", 2);
    const struct {
        span_t bytes;
        enum mime_encoding need;
    } rows[] = {
        {SPAN(""), MIME_ENCODING_7BIT},
        {SPAN("a\r\nb"), MIME_ENCODING_7BIT},
        {SPAN("\xff\r\n"), MIME_ENCODING_8BIT},
        {SPAN("a\nb"), MIME_ENCODING_BINARY},
        {SPAN("a\rb"), MIME_ENCODING_BINARY},
        {SPAN("a\r"), MIME_ENCODING_BINARY},
        {SPAN("a\0b"), MIME_ENCODING_BINARY},
        {span_of(line, 1000), MIME_ENCODING_7BIT},
        {span_of(line + 1, 99), MIME_ENCODING_7BIT},
        {span_of(line + 1000, 0), MIME_ENCODING_7BIT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(mime_need(rows[i].bytes), rows[i].need);
    memset(line, 'x', sizeof(line));
    assert_int_equal(mime_need(span_of(line, 999)), MIME_ENCODING_BINARY);
}

static void parts_become_what_they_need(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *wanted;
    } rows[] = {
        /* nothing to do */
        {"Subject: x\r\n\r\nhello\r\n", "Subject: x\r\n\r\nhello\r\n"},
        /* text becomes quoted-printable */
        {"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nun "
         "caf" E8 " ici, s'il vous plait\r\n",
         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\nun caf=C3=A9 ici, s'il vous plait\r\n"},
        /* which is little of ASCII, base64 */
        {"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" E8 E8 E8 E8,
         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\nw6nDqcOpw6k=\r\n"},
        /* what did not say what it is */
        {"Subject: x\r\n\r\nun caf" E8 " s'il vous plait\r\n",
         "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\nun caf=C3=A9 s'il vous plait\r\n"},
        {"Subject: x\r\n\r\nun caf\xe9 s'il vous plait\r\n",
         "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
         "charset=unknown-8bit\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\nun caf=E9 s'il vous plait\r\n"},
        /* what said eight bits and needs seven says so */
        {"MIME-Version: 1.0\r\nContent-Transfer-Encoding:\r\n 8bit\r\nX: y\r\n\r\nplain\r\n",
         "MIME-Version: 1.0\r\nX: y\r\nContent-Transfer-Encoding: 7bit\r\n\r\nplain\r\n"},
        /* parts and messages inside */
        {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: "
         "8bit\r\n\r\npre" E8
         "\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: in\r\n"
         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthis is a caf" E8
         "\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\r\n--b--\r\n",
         "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: "
         "7bit\r\n\r\npre??\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: "
         "in\r\n"
         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\nthis is a caf=C3=A9\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\nYQpi\r\n\r\n--b--\r\n"},
        /* what is encoded already is not encoded again */
        {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ" E8 "==\n",
         "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ?"
         "?==\r\n"},
        {"Subject: " E8 "\r\n\r\nx\r\n", "Subject: =?utf-8?B?w6k=?=\r\n\r\nx\r\n"},
        {"Subject: \xe9\r\n\r\nx\r\n", "Subject: ?\r\n\r\nx\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf out;
        assert_int_equal(convert(rows[i].message, &out), MIME_SEVENBIT_DONE);
        assert_int_equal(buf_append_byte(&out, '\0'), 0);
        assert_string_equal((const char *)buf_span(&out).at, rows[i].wanted);
    }
}

#define SIGNED                                                                                                         \
    "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain; "         \
    "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
#define SIGNED_END "\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n"

static void what_is_signed_is_not_touched(void **state)
{
    (void)state;
    AUTO_BUF struct buf out;
    AUTO_BUF struct buf other;
    assert_int_equal(convert(SIGNED "caf" E8 SIGNED_END, &out), MIME_SEVENBIT_SIGNED);
    assert_int_equal(convert(SIGNED "coffee" SIGNED_END, &other), MIME_SEVENBIT_DONE);
    assert_true(span_equal(buf_span(&other), SPAN(SIGNED "coffee" SIGNED_END)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_are_told_apart),
        cmocka_unit_test(parts_become_what_they_need),
        cmocka_unit_test(what_is_signed_is_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
