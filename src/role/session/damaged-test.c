#include "base/test.h"

#include "role/session/damaged.h"

#include <string.h>

/* What a note's header says, for the envelope of a message that is lost. */
static const struct {
    const char *envelope;
    const char *header;
} notes[] = {
    {"(\"Mon, 02 Jan 2006 15:04:05 +0100\" \"a \\\"b\\\" c\" ((\"Bob \\\\ B\" NIL \"bob\" \"example.org\")) NIL)",
     "Date: Mon, 02 Jan 2006 15:04:05 +0100\r\nSubject: [damaged] a \"b\" c\r\n"
     "From: \"Bob \\\\ B\" <bob@example.org>\r\n"},
    {"(NIL NIL ((NIL NIL \"bob\" \"example.org\")(NIL NIL \"x\" \"y\")))",
     "Date: Thu, 01 Jan 1970 00:00:05 +0000\r\nSubject: [damaged] a message that was lost\r\n"
     "From: <bob@example.org>\r\n"},
    {"(\"x\" {3}\r\na\r\n NIL)",
     "Date: x\r\nSubject: [damaged] a message that was lost\r\nFrom: unknown sender <unknown@invalid>\r\n"},
    {"(\"x\" \"y\" NIL NIL)", "Date: x\r\nSubject: [damaged] y\r\nFrom: unknown sender <unknown@invalid>\r\n"},
    {"(\"x\" \"y\" ((NIL NIL \"group\" NIL)))",
     "Date: x\r\nSubject: [damaged] y\r\nFrom: unknown sender <unknown@invalid>\r\n"},
    {"(\"x\" \"never ended", "Date: x\r\nSubject: [damaged] never ended\r\nFrom: unknown sender <unknown@invalid>\r\n"},
    {"", "Date: Thu, 01 Jan 1970 00:00:05 +0000\r\nSubject: [damaged] a message that was lost\r\n"
         "From: unknown sender <unknown@invalid>\r\n"},
};

static void a_note_says_what_the_envelope_knows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(notes); i++) {
        AUTO_BUF struct buf note;
        buf_init(&note, 65536);
        assert_int_equal(damaged_write_note(span_of_text(notes[i].envelope), 5000000, 1234, &note), 0);
        if (!span_starts(buf_span(&note), span_of_text(notes[i].header)))
            fail_msg("%s: %.*s", notes[i].envelope, SPAN_PRINT(buf_span(&note)));
        assert_true(span_find(buf_span(&note), SPAN("had 1234 bytes.\r\n")) < buf_len(&note));
        assert_true(span_ends(buf_span(&note), SPAN("\r\n")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_says_what_the_envelope_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
