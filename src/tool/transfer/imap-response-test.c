#include "base/test.h"

#include "tool/transfer/imap-response.h"

#include <errno.h>

static void a_response_ends_behind_its_literals(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        int outcome;
        size_t len;
    } rows[] = {
        {"* OK hi\r\n* next", IMAP_RESPONSE_WHOLE, 9},
        {"* OK hi\r", IMAP_RESPONSE_MORE, 9},
        {"* 1 FETCH (BODY[] {3}\r\na\r\n UID 5)\r\n", IMAP_RESPONSE_WHOLE, 35},
        {"* 1 FETCH (BODY[] {3}\r\na\r", IMAP_RESPONSE_MORE, 28},
        {"* 1 FETCH (BODY[] {300}\r\n", -EMSGSIZE, 0},
        {"* 1 FETCH (BODY[] {99999999999999999999}\r\n", IMAP_RESPONSE_WHOLE, 42},
        {"* X {1}\r\na{1}\r\nb\r\n", IMAP_RESPONSE_WHOLE, 18},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = 0;
        assert_int_equal(imap_response_measure(span_of_text(rows[i].input), 100, &len), rows[i].outcome);
        assert_int_equal(len, rows[i].len);
    }
}

static void its_first_words_are_taken_apart(void **state)
{
    (void)state;
    struct imap_response read;
    assert_int_equal(imap_response_read(SPAN("a1 NO [AUTHENTICATIONFAILED] Go away\r\n"), &read), 0);
    assert_int_equal(read.kind, IMAP_TAGGED);
    assert_true(span_equal(read.tag, SPAN("a1")) && span_equal(read.word, SPAN("NO")));
    assert_true(span_equal(read.code, SPAN("AUTHENTICATIONFAILED")) && span_equal(read.rest, SPAN("Go away")));
    assert_int_equal(imap_response_read(SPAN("* 12 EXISTS\r\n"), &read), 0);
    assert_int_equal(read.kind, IMAP_UNTAGGED);
    assert_int_equal(read.number, 12);
    assert_true(span_equal(read.word, SPAN("EXISTS")));
    assert_int_equal(imap_response_read(SPAN("+ \r\n"), &read), 0);
    assert_int_equal(read.kind, IMAP_CONTINUE);
    assert_int_equal(imap_response_read(SPAN("*\r\n"), &read), -EBADMSG);
}

static void a_mailbox_is_listed_in_any_form(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        const char *name;
        char delimiter;
    } rows[] = {
        {"(\\HasNoChildren) \"/\" INBOX", "INBOX", '/'},
        {"() \".\" \"a \\\"b\\\\c\"", "a \"b\\c", '.'},
        {"(\\Noselect) NIL {3}\r\na b", "a b", 0},
        {"() \"\\\\\" x", "x", '\\'},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct imap_listed listed;
        assert_int_equal(imap_response_list(span_of_text(rows[i].rest), &listed), 0);
        assert_true(span_equal(buf_span(&listed.name), span_of_text(rows[i].name)));
        assert_int_equal(listed.delimiter, rows[i].delimiter);
        buf_deinit(&listed.name);
    }
    struct imap_listed bad;
    assert_int_equal(imap_response_list(SPAN("() \"/\""), &bad), -EBADMSG);
    buf_deinit(&bad.name);
}

static void a_message_is_found_among_other_items(void **state)
{
    (void)state;
    struct imap_fetched fetched;
    span_t rest =
        SPAN("(X-GM-LABELS (\"a)b\" (c {2}\r\n)()) FLAGS (\\Seen \\Recent work) UID 7 BODY[HEADER.FIELDS (A B)] "
             "NIL INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 44827 BODY[] {5}\r\nx)\r\ny)");
    assert_int_equal(imap_response_fetch(rest, &fetched), 0);
    assert_int_equal(fetched.uid, 7);
    assert_int_equal(fetched.size, 44827);
    assert_true(span_equal(fetched.flags, SPAN("\\Seen \\Recent work")));
    assert_true(span_equal(fetched.body, SPAN("x)\r\ny")));
    int64_t seconds = 0;
    assert_int_equal(imap_response_date(fetched.date, &seconds), 0);
    assert_int_equal(seconds, 837596665);
    assert_int_equal(imap_response_fetch(SPAN("(UID 7"), &fetched), -EBADMSG);
    assert_int_equal(imap_response_fetch(SPAN("(UID"), &fetched), -EBADMSG);
    assert_int_equal(imap_response_fetch(SPAN("(FLAGS (()"), &fetched), -EBADMSG);
}

static void the_personal_namespace_has_a_prefix(void **state)
{
    (void)state;
    AUTO_BUF struct buf prefix;
    buf_init(&prefix, 100);
    assert_int_equal(imap_response_namespace(SPAN("((\"INBOX.\" \".\")) NIL ((\"shared.\" \".\"))"), &prefix), 0);
    assert_true(span_equal(buf_span(&prefix), SPAN("INBOX.")));
    buf_clear(&prefix);
    assert_int_equal(imap_response_namespace(SPAN("NIL NIL NIL"), &prefix), 0);
    assert_int_equal(buf_len(&prefix), 0);
}

static void a_mailbox_says_how_many_messages_it_has(void **state)
{
    (void)state;
    uint64_t count = 0;
    assert_int_equal(imap_response_status(SPAN("\"a (b\" (UIDNEXT 9 messages 231)"), &count), 0);
    assert_int_equal(count, 231);
    assert_int_equal(imap_response_status(SPAN("{5}\r\nx (MM (X (1) MESSAGES 7)"), &count), 0);
    assert_int_equal(count, 7);
    assert_int_equal(imap_response_status(SPAN("INBOX (UIDNEXT 9)"), &count), -EBADMSG);
    assert_int_equal(imap_response_status(SPAN("INBOX (MESSAGES x)"), &count), -EBADMSG);
    assert_int_equal(imap_response_status(SPAN("INBOX"), &count), -EBADMSG);
    assert_int_equal(count, 7);
}

static void capabilities_are_words(void **state)
{
    (void)state;
    assert_true(imap_response_has(SPAN("IMAP4rev1 auth=PLAIN"), SPAN("AUTH=PLAIN")));
    assert_false(imap_response_has(SPAN("IMAP4rev1 AUTH=PLAINER"), SPAN("AUTH=PLAIN")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_ends_behind_its_literals),
        cmocka_unit_test(its_first_words_are_taken_apart),
        cmocka_unit_test(a_mailbox_is_listed_in_any_form),
        cmocka_unit_test(a_message_is_found_among_other_items),
        cmocka_unit_test(the_personal_namespace_has_a_prefix),
        cmocka_unit_test(capabilities_are_words),
        cmocka_unit_test(a_mailbox_says_how_many_messages_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
