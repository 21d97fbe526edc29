#include "base/test.h"

#include <errno.h>

#include "base/mem.h"
#include "mime/date.h"
#include "proto/imap/bodystructure.h"
#include "proto/imap/envelope.h"
#include "proto/imap/match.h"

static int match(span_t message, enum imap_match_kind kind, const char *field, const char *text)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO(imap_match) struct imap_match *key = NULL;
    struct mime_part *root = NULL;
    assert_int_equal(arena_new(MIME_ARENA_MAX, &arena), 0);
    assert_int_equal(mime_parse(message, arena, &root), 0);
    assert_int_equal(imap_match_new(kind, span_of_text(field), span_of_text(text), &key), 0);
    return imap_match_message(key, root);
}

static void keys_look_where_they_should(void **state)
{
    (void)state;
    static const char message[] =
        "From: =?utf-8?q?J=C3=B6rg?= <j@x.y>\nTo: t@x\nCc: c@x\nBcc: b@x\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= there\n"
        "X-Empty:\nDKIM-Signature: b=c2lnbmVk\nX-Test: value\nX-Test: second\nContent-Type: multipart/mixed; "
        "boundary=b\n\nPREAMBLE\n--b\n"
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
        "Caf=E9 cut he=\nre\n--b\nContent-Type: application/x\n\nbinary\n--b\nContent-Type: message/rfc822\n\n"
        "Subject: inner\n\ndeep\n--b--\n";
    static const struct {
        enum imap_match_kind kind;
        const char *field;
        const char *text;
        int expected;
    } rows[] = {
        {IMAP_MATCH_FROM, NULL, "jorg", IMAP_MATCH_YES},
        {IMAP_MATCH_FROM, NULL, "J\xc3\x96RG", IMAP_MATCH_YES},
        {IMAP_MATCH_FROM, NULL, "j@X.y", IMAP_MATCH_YES},
        {IMAP_MATCH_FROM, NULL, "t@x", IMAP_MATCH_NO},
        {IMAP_MATCH_TO, NULL, "t@x", IMAP_MATCH_YES},
        {IMAP_MATCH_CC, NULL, "c@x", IMAP_MATCH_YES},
        {IMAP_MATCH_BCC, NULL, "b@x", IMAP_MATCH_YES},
        {IMAP_MATCH_SUBJECT, NULL, "GRUSSE THERE", IMAP_MATCH_YES},
        {IMAP_MATCH_SUBJECT, NULL, "inner", IMAP_MATCH_NO},
        {IMAP_MATCH_HEADER, "x-test", "SECOND", IMAP_MATCH_YES},
        {IMAP_MATCH_HEADER, "X-Test", "", IMAP_MATCH_YES},
        {IMAP_MATCH_HEADER, "X-Empty", "", IMAP_MATCH_YES},
        {IMAP_MATCH_HEADER, "X-None", "", IMAP_MATCH_NO},
        {IMAP_MATCH_BODY, NULL, "cafe cut here", IMAP_MATCH_YES},
        {IMAP_MATCH_BODY, NULL, "deep", IMAP_MATCH_YES},
        {IMAP_MATCH_BODY, NULL, "inner", IMAP_MATCH_YES},
        {IMAP_MATCH_BODY, NULL, "there", IMAP_MATCH_NO},
        {IMAP_MATCH_BODY, NULL, "binary", IMAP_MATCH_NO},
        {IMAP_MATCH_BODY, NULL, "", IMAP_MATCH_YES},
        {IMAP_MATCH_TEXT, NULL, "there", IMAP_MATCH_YES},
        {IMAP_MATCH_TEXT, NULL, "x-test: value", IMAP_MATCH_YES},
        {IMAP_MATCH_TEXT, NULL, "deep", IMAP_MATCH_YES},
        {IMAP_MATCH_TEXT, NULL, "c2lnbmVk", IMAP_MATCH_NO},
        {IMAP_MATCH_TEXT, NULL, "signature", IMAP_MATCH_NO},
        {IMAP_MATCH_HEADER, "DKIM-Signature", "c2ln", IMAP_MATCH_YES},
        {IMAP_MATCH_TEXT, NULL, "nowhere", IMAP_MATCH_NO},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(match(span_of_text(message), rows[i].kind, rows[i].field, rows[i].text), rows[i].expected);
}

static void a_match_may_lie_across_chunks(void **state)
{
    (void)state;
    AUTO_BUF struct buf message;
    buf_init(&message, 1000000);
    for (size_t shift = 0; shift < 8; shift++) {
        buf_clear(&message);
        buf_append_text(&message, "Subject: x\n\n");
        for (size_t i = 0; i < (size_t)32 * 1024 - shift; i++)
            buf_append_byte(&message, 'a');
        buf_append_text(&message, "NEEDLE and more\n");
        assert_int_equal(match(buf_span(&message), IMAP_MATCH_BODY, NULL, "needle and"), IMAP_MATCH_YES);
        assert_int_equal(match(buf_span(&message), IMAP_MATCH_BODY, NULL, "needle or"), IMAP_MATCH_NO);
    }
}

static void the_sent_day_is_the_senders(void **state)
{
    (void)state;
    span_t header = SPAN("Date: 1 Mar 2020 00:30:00 +0200\n\n");
    int64_t day = mime_date_days(2020, 3, 1);
    assert_true(imap_match_sent(IMAP_SENT_ON, day, header));
    assert_false(imap_match_sent(IMAP_SENT_BEFORE, day, header));
    assert_true(imap_match_sent(IMAP_SENT_BEFORE, day + 1, header));
    assert_true(imap_match_sent(IMAP_SENT_SINCE, day, header));
    assert_false(imap_match_sent(IMAP_SENT_SINCE, day + 1, header));
    assert_false(imap_match_sent(IMAP_SENT_SINCE, 0, SPAN("Subject: x\n\n")));
}

/* All that is shown of a message, with as little memory as the caller left. */
static int show(span_t message)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO(imap_match) struct imap_match *key = NULL;
    AUTO_BUF struct buf line;
    struct mime_part *root = NULL;
    struct imap_summary summary;
    buf_init(&line, 10000);
    int result = arena_new(MIME_ARENA_MAX, &arena);
    if (result == 0)
        result = mime_parse(message, arena, &root);
    if (result == 0)
        result = imap_envelope_append(root->header, &line);
    if (result == 0)
        result = imap_bodystructure_append(root, &line);
    if (result == 0)
        result = imap_summary_read(root->header, arena, &summary);
    if (result == 0)
        result = imap_match_new(IMAP_MATCH_TEXT, SPAN_NONE, SPAN("needle"), &key);
    return result == 0 ? imap_match_message(key, root) : result;
}

static void too_little_memory_is_the_only_fault(void **state)
{
    (void)state;
    span_t message = SPAN("Subject: =?koi8-r?q?=F4?=\nFrom: \"a\\b\" <a@b>\nTo: c@d (x)\nContent-Type: "
                          "multipart/mixed; boundary*=utf-8''b\n\n--b\nContent-Type: text/plain; charset=koi8-r\n\n"
                          "\xf4 needle\n--b--\n");
    int result = -ENOMEM;
    for (uint64_t nth = 1; result == -ENOMEM && nth < 1000; nth++) {
        mem_fail_after(nth);
        result = show(message);
        mem_fail_after(0);
    }
    assert_int_equal(result, IMAP_MATCH_YES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_look_where_they_should),
        cmocka_unit_test(a_match_may_lie_across_chunks),
        cmocka_unit_test(the_sent_day_is_the_senders),
        cmocka_unit_test(too_little_memory_is_the_only_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
