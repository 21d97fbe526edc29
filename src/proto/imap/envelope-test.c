#include "base/test.h"

#include "proto/imap/envelope.h"

#include <errno.h>

static void assert_text(const struct buf *line, const char *expected)
{
    if (!span_equal(buf_span(line), span_of_text(expected)))
        print_error("%.*s\n", SPAN_PRINT(buf_span(line)));
    assert_true(span_equal(buf_span(line), span_of_text(expected)));
}

static void strings_take_the_form_they_need(void **state)
{
    (void)state;
    AUTO_BUF struct buf line;
    buf_init(&line, 10000);
    imap_string_append(SPAN_NONE, &line);
    imap_string_append(SPAN(""), &line);
    imap_string_append(SPAN("a\"b\\c"), &line);
    imap_string_append(SPAN("x\ny"), &line);
    imap_string_append(SPAN("\xc3\xa9\0"), &line);
    assert_text(&line, "NIL\"\"\"a\\\"b\\\\c\"{3}\r\nx\ny{3}\r\n\xc3\xa9 ");
    buf_clear(&line);
    uint8_t many[1001] = {0};
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = 'a';
    imap_string_append(span_of(many, sizeof(many)), &line);
    assert_true(span_starts(buf_span(&line), SPAN("{1001}\r\naaa")));
}

static void envelopes_have_ten_fields(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
        {"From: A B <a@b.c>\r\nSubject: x\r\n y\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n"
         "Message-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n",
         "(\"Mon, 2 Jan 2006 15:04:05 +0000\" \"x y\" ((\"A B\" NIL \"a\" \"b.c\")) ((\"A B\" NIL \"a\" \"b.c\")) "
         "((\"A B\" NIL \"a\" \"b.c\")) NIL NIL NIL \"<0@x>\" \"<1@x>\")"},
        {"From: a@b\nSender: s@b\nReply-To: r@b\nTo: g: c@d;\nCc: <@r:e@f>\nCc: foo\nBcc:\nSubject:\n",
         "(NIL \"\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"s\" \"b\")) ((NIL NIL \"r\" \"b\")) "
         "((NIL NIL \"g\" NIL)(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)) "
         "((NIL \"@r\" \"e\" \"f\")(NIL NIL \"foo\" \"MISSING_DOMAIN\")) NIL NIL NIL)"},
        {"Subject: \"quoted\" =?utf-8?q?=C3=A9?=\nFrom: \xc3\xa9 <a@b>\nSender: \n",
         "(NIL \"\\\"quoted\\\" =?utf-8?q?=C3=A9?=\" (({2}\r\n\xc3\xa9 NIL \"a\" \"b\")) "
         "(({2}\r\n\xc3\xa9 NIL \"a\" \"b\")) (({2}\r\n\xc3\xa9 NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf line;
        buf_init(&line, 10000);
        assert_int_equal(imap_envelope_append(span_of_text(rows[i][0]), &line), 0);
        assert_text(&line, rows[i][1]);
    }
}

static void an_envelope_is_read_back(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf line;
    struct imap_envelope envelope = {0};
    buf_init(&line, 10000);
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    span_t header = SPAN("From: \xc3\xa9 \"x\" <a@b>\nTo: g: c@d;\nCc: <@r:e@f>, foo\nSubject: \"q\" \\\nDate: then\n");
    assert_int_equal(imap_envelope_append(header, &line), 0);
    assert_int_equal(imap_envelope_read(buf_span(&line), arena, &envelope), 0);
    assert_true(span_equal(envelope.date, SPAN("then")));
    assert_true(span_equal(envelope.subject, SPAN("\"q\" \\")));
    assert_true(span_equal(envelope.from.mailbox, SPAN("a")));
    assert_true(span_equal(envelope.from.host, SPAN("b")));
    assert_true(span_equal(envelope.to.mailbox, SPAN("g")));
    assert_true(span_equal(envelope.cc.mailbox, SPAN("e")));
    assert_int_equal(imap_envelope_read(SPAN("(NIL NIL"), arena, &envelope), -EBADMSG);
    assert_int_equal(imap_envelope_read(SPAN(""), arena, &envelope), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_take_the_form_they_need),
        cmocka_unit_test(envelopes_have_ten_fields),
        cmocka_unit_test(an_envelope_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
