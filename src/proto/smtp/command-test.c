#include "base/test.h"

#include <string.h>

#include "proto/smtp/command.h"

struct path_row {
    const char *line;
    enum smtp_parse parse;
    const char *address; /* "" for <> */
};

static const struct path_row paths[] = {
    {"MAIL FROM:<>\r\n", SMTP_PARSE_OK, ""},                               /* RFC 5321 §4.1.1.2 */
    {"mail from:<alice@demo.test>\r\n", SMTP_PARSE_OK, "alice@demo.test"}, /* RFC 5321 §2.4 */
    {"MAIL FROM: <alice@demo.test>\r\n", SMTP_PARSE_OK, "alice@demo.test"},
    {"MAIL FROM:<@a.test,@b.test:c@d.test>\r\n", SMTP_PARSE_OK, "c@d.test"}, /* RFC 5321 appendix C */
    {"MAIL FROM:<\"a b\"@d.test>\r\n", SMTP_PARSE_OK, "\"a b\"@d.test"},     /* RFC 5321 §4.1.2 */
    {"MAIL FROM:<\"a\\b\"@d.test>\r\n", SMTP_PARSE_OK, "ab@d.test"},         /* one mailbox, one spelling */
    {"MAIL FROM:<\"a@b\"@d.test>\r\n", SMTP_PARSE_OK, "\"a@b\"@d.test"},
    {"MAIL FROM:<\"\\\"\\\\\"@d.test>\r\n", SMTP_PARSE_OK, "\"\\\"\\\\\"@d.test"},
    {"MAIL FROM:<a@[192.0.2.1]>\r\n", SMTP_PARSE_OK, "a@[192.0.2.1]"}, /* RFC 5321 §4.1.3 */
    {"MAIL FROM:<a@[IPv6:2001:db8::1]>\r\n", SMTP_PARSE_OK, "a@[IPv6:2001:db8::1]"},
    {"MAIL FROM:<a@[300.0.2.1]>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<a@[IPv6:zz]>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<d\xc3\xb6ner@b\xc3\xbcro.test> SMTPUTF8\r\n", SMTP_PARSE_OK, "d\xc3\xb6ner@b\xc3\xbcro.test"},
    {"MAIL FROM:<\xff@d.test> SMTPUTF8\r\n", SMTP_PARSE_ADDRESS, NULL}, /* RFC 6531 §3.3: valid UTF-8 */
    {"MAIL FROM:<\xc0\xaf@d.test> SMTPUTF8\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:alice@demo.test\r\n", SMTP_PARSE_ADDRESS, NULL}, /* RFC 5321 §3.3: brackets */
    {"MAIL FROM:<alice@demo.test\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<alice>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<a..b@d.test>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<.a@d.test>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<a@-d.test>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<a@d..test>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<a b@d.test>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<a@d.test>x\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"MAIL FROM:<a@d.test> SIZE=12 BODY=8BITMIME\r\n", SMTP_PARSE_OK, "a@d.test"},
    {"MAIL FROM:<a@d.test> SIZE=x\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> SIZE=1 SIZE=2\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> SIZE=99999999999999999999999\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> BODY=9BIT\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> SMTPUTF8=1\r\n", SMTP_PARSE_SYNTAX, NULL}, /* RFC 6531 §3.4 */
    {"MAIL FROM:<a@d.test> AUTH=<>\r\n", SMTP_PARSE_OK, "a@d.test"},  /* RFC 4954 §5 */
    {"MAIL FROM:<a@d.test> AUTH=a+40b\r\n", SMTP_PARSE_OK, "a@d.test"},
    {"MAIL FROM:<a@d.test> AUTH=a+4\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> RET=FULL ENVID=QQ+2B1\r\n", SMTP_PARSE_OK, "a@d.test"}, /* RFC 3461 §4.3, §4.4 */
    {"MAIL FROM:<a@d.test> RET=SOME\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> RET=FULL RET=FULL\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> ENVID=a=b\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> REQUIRETLS\r\n", SMTP_PARSE_OK, "a@d.test"}, /* RFC 8689 §2 */
    {"MAIL FROM:<a@d.test> REQUIRETLS=1\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> HOLDFOR=3600\r\n", SMTP_PARSE_OK, "a@d.test"}, /* RFC 4865 §3 */
    {"MAIL FROM:<a@d.test> HOLDFOR=0\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> HOLDFOR=1234567890\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> HOLDUNTIL=2026-11-21T10:44:12Z\r\n", SMTP_PARSE_OK, "a@d.test"},
    {"MAIL FROM:<a@d.test> HOLDUNTIL=2026-11-21T10:44:12\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> HOLDUNTIL=2026-13-21T10:44:12Z\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"MAIL FROM:<a@d.test> HOLDFOR=1 HOLDUNTIL=2026-11-21T10:44:12Z\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"RCPT TO:<a@d.test> HOLDFOR=1\r\n", SMTP_PARSE_PARAMETER, NULL},
    {"MAIL TO:<a@d.test>\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"RCPT TO:<postmaster>\r\n", SMTP_PARSE_OK, "postmaster"}, /* RFC 5321 §4.5.1 */
    {"RCPT TO:<PostMaster>\r\n", SMTP_PARSE_OK, "PostMaster"},
    {"RCPT TO:<>\r\n", SMTP_PARSE_ADDRESS, NULL},
    {"RCPT TO:<a@d.test> NOTIFY=NEVER\r\n", SMTP_PARSE_OK, "a@d.test"}, /* RFC 3461 §4.1 */
    {"RCPT TO:<a@d.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@d.test\r\n", SMTP_PARSE_OK, "a@d.test"},
    {"RCPT TO:<a@d.test> NOTIFY=NEVER,DELAY\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"RCPT TO:<a@d.test> NOTIFY=\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"RCPT TO:<a@d.test> NOTIFY=MAYBE\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"RCPT TO:<a@d.test> ORCPT=b@d.test\r\n", SMTP_PARSE_SYNTAX, NULL}, /* RFC 3461 §4.2: a type */
    {"RCPT TO:<a@d.test> ORCPT=rfc822;\r\n", SMTP_PARSE_SYNTAX, NULL},
    {"RCPT TO:<a@d.test> SIZE=3\r\n", SMTP_PARSE_PARAMETER, NULL},
};

static void paths_are_read_as_rfc_5321_writes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct smtp_command command;
        enum smtp_parse parse = smtp_command_parse(span_of_text(paths[i].line), &command);
        if (parse != paths[i].parse)
            fail_msg("%s: %d", paths[i].line, (int)parse);
        if (parse != SMTP_PARSE_OK)
            continue;
        assert_int_equal(command.path.is_null, paths[i].address[0] == '\0');
        if (!span_equal(smtp_path_address(&command.path), span_of_text(paths[i].address)))
            fail_msg("%s: %.*s", paths[i].line, SPAN_PRINT(smtp_path_address(&command.path)));
    }
}

static const struct {
    const char *line;
    enum smtp_parse parse;
    enum smtp_verb verb;
} commands[] = {
    {"EHLO client.test\r\n", SMTP_PARSE_OK, SMTP_EHLO},
    {"EHLO\r\n", SMTP_PARSE_SYNTAX, SMTP_EHLO},
    {"EHLO [IPv6:::1]\r\n", SMTP_PARSE_OK, SMTP_EHLO},
    {"EHLO a b\r\n", SMTP_PARSE_SYNTAX, SMTP_EHLO},
    {"helo x\r\n", SMTP_PARSE_OK, SMTP_HELO},
    {"DATA\r\n", SMTP_PARSE_OK, SMTP_DATA},
    {"DATA now\r\n", SMTP_PARSE_SYNTAX, SMTP_DATA},
    {"DATA \r\n", SMTP_PARSE_OK, SMTP_DATA}, /* RFC 5321 §4.1.1: trailing white space is tolerated */
    {"BDAT 12\r\n", SMTP_PARSE_OK, SMTP_BDAT},
    {"BDAT 0 LAST\r\n", SMTP_PARSE_OK, SMTP_BDAT},
    {"BDAT 12 FIRST\r\n", SMTP_PARSE_SYNTAX, SMTP_BDAT},
    {"BDAT -1\r\n", SMTP_PARSE_SYNTAX, SMTP_BDAT},
    {"BDAT 99999999999999999999 LAST\r\n", SMTP_PARSE_SYNTAX, SMTP_BDAT},
    {"BDAT\r\n", SMTP_PARSE_SYNTAX, SMTP_BDAT},
    {"AUTH PLAIN AGEAYg==\r\n", SMTP_PARSE_OK, SMTP_AUTH},
    {"AUTH PLAIN =\r\n", SMTP_PARSE_OK, SMTP_AUTH},
    {"AUTH\r\n", SMTP_PARSE_SYNTAX, SMTP_AUTH},
    {"AUTH PLAIN a b\r\n", SMTP_PARSE_SYNTAX, SMTP_AUTH},
    {"VRFY\r\n", SMTP_PARSE_SYNTAX, SMTP_VRFY},
    {"NOOP anything goes\r\n", SMTP_PARSE_OK, SMTP_NOOP},
    {"QUIT\r\n", SMTP_PARSE_OK, SMTP_QUIT},
    {"STARTTLS\r\n", SMTP_PARSE_OK, SMTP_STARTTLS},
    {"STARTTLS x\r\n", SMTP_PARSE_SYNTAX, SMTP_STARTTLS},
};

static void commands_are_read_as_the_rfcs_write_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct smtp_command command;
        enum smtp_parse parse = smtp_command_parse(span_of_text(commands[i].line), &command);
        if (parse != commands[i].parse || command.verb != commands[i].verb)
            fail_msg("%s: %d", commands[i].line, (int)parse);
    }
}

/* RFC 5321 §2.3.8 */
static void only_a_clean_crlf_line_is_a_command(void **state)
{
    static const span_t lines[] = {SPAN("NOOP\n"),     SPAN("NOOP\r"),     SPAN("NOOP"), SPAN("NO\nOP\r\n"),
                                   SPAN("NO\rOP\r\n"), SPAN("NO\0OP\r\n"), SPAN("")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct smtp_command command;
        assert_int_equal(smtp_command_parse(lines[i], &command), SMTP_PARSE_BARE_NEWLINE);
    }
}

static void what_is_no_command_is_unknown(void **state)
{
    static const span_t lines[] = {SPAN("\r\n"), SPAN("GET / HTTP/1.1\r\n"), SPAN("EHLOX\r\n"), SPAN("EHLO\tx\r\n"),
                                   SPAN("\xff\xfe\r\n")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct smtp_command command;
        assert_int_equal(smtp_command_parse(lines[i], &command), SMTP_PARSE_UNKNOWN);
    }
}

static void values_of_parameters_are_kept(void **state)
{
    struct smtp_command command;
    (void)state;
    assert_int_equal(smtp_command_parse(SPAN("MAIL FROM:<a@b.test> SIZE=1000 body=binarymime SMTPUTF8\r\n"), &command),
                     SMTP_PARSE_OK);
    assert_true(command.has_size && command.utf8);
    assert_int_equal(command.size, 1000);
    assert_int_equal(command.body, SMTP_BODY_BINARY);
    assert_int_equal(smtp_command_parse(SPAN("BDAT 86 last\r\n"), &command), SMTP_PARSE_OK);
    assert_int_equal(command.size, 86);
    assert_true(command.last);
    assert_int_equal(smtp_command_parse(SPAN("AUTH SCRAM-SHA-256 biws\r\n"), &command), SMTP_PARSE_OK);
    assert_true(span_equal(command.argument, SPAN("SCRAM-SHA-256")));
    assert_true(span_equal(command.initial, SPAN("biws")));
}

static void long_addresses_are_refused_not_cut(void **state)
{
    char line[1200] = "RCPT TO:<";
    struct smtp_command command;
    (void)state;
    memset(line + 9, 'a', 300);
    memcpy(line + 309, "@b.test>\r\n", 11);
    assert_int_equal(smtp_command_parse(span_of_text(line), &command), SMTP_PARSE_ADDRESS);
    memset(line + 9, 'a', 256);
    memcpy(line + 265, "@b.test>\r\n", 11);
    assert_int_equal(smtp_command_parse(span_of_text(line), &command), SMTP_PARSE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_read_as_rfc_5321_writes_them),
        cmocka_unit_test(commands_are_read_as_the_rfcs_write_them),
        cmocka_unit_test(only_a_clean_crlf_line_is_a_command),
        cmocka_unit_test(what_is_no_command_is_unknown),
        cmocka_unit_test(values_of_parameters_are_kept),
        cmocka_unit_test(long_addresses_are_refused_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
