#include "base/test.h"

#include "proto/pop3/command.h"

#define EITHER 3U

/* What is written as a line, and how it is understood in both states. */
static const struct row {
    const char *line;
    unsigned states; /* in which it is understood; in the other it is refused as out of place */
    enum pop3_parse parsed;
    enum pop3_verb verb;
    const char *text;
    const char *initial;
    uint64_t number;
    uint64_t lines;
} rows[] = {
    {.line = "USER bob", .states = 1, .verb = POP3_USER, .text = "bob"},
    {.line = "user bob@demo.test", .states = 1, .verb = POP3_USER, .text = "bob@demo.test"}, /* RFC 1939 §3 */
    {.line = "PASS a b  c ", .states = 1, .verb = POP3_PASS, .text = "a b  c "},             /* RFC 1939 §7 */
    {.line = "PASS  x", .states = 1, .verb = POP3_PASS, .text = " x"},
    {.line = "PASS gr\xc3\xbc\xc3\x9f", .states = 1, .verb = POP3_PASS, .text = "gr\xc3\xbc\xc3\x9f"}, /* RFC 6856 §2 */
    {.line = "USER", .states = 1, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "PASS ", .states = 1, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "AUTH", .states = 1, .verb = POP3_AUTH},
    {.line = "AUTH PLAIN", .states = 1, .verb = POP3_AUTH, .text = "PLAIN"}, /* RFC 5034 §4 */
    {.line = "AUTH PLAIN =", .states = 1, .verb = POP3_AUTH, .text = "PLAIN", .initial = "="},
    {.line = "auth plain AGI=", .states = 1, .verb = POP3_AUTH, .text = "plain", .initial = "AGI="},
    {.line = "AUTH PLAIN a b", .states = 1, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "STLS", .states = 1, .verb = POP3_STLS}, /* RFC 2595 §4 */
    {.line = "STLS now", .states = 1, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "UTF8", .states = 1, .verb = POP3_UTF8}, /* RFC 6856 §2 */
    {.line = "CAPA", .states = EITHER, .verb = POP3_CAPA},
    {.line = "CAPA ", .states = EITHER, .verb = POP3_CAPA},
    {.line = "LANG", .states = EITHER, .verb = POP3_LANG}, /* RFC 6856 §3 */
    {.line = "LANG *", .states = EITHER, .verb = POP3_LANG, .text = "*"},
    {.line = "LANG de en", .states = EITHER, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "QUIT", .states = EITHER, .verb = POP3_QUIT},
    {.line = "STAT", .states = 2, .verb = POP3_STAT},
    {.line = "STAT 1", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "LIST", .states = 2, .verb = POP3_LIST},
    {.line = "LIST 12", .states = 2, .verb = POP3_LIST, .number = 12},
    {.line = "LIST 1 2", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "LIST -1", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "LIST x", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "uidl 7 ", .states = 2, .verb = POP3_UIDL, .number = 7},
    {.line = "RETR 3", .states = 2, .verb = POP3_RETR, .number = 3},
    {.line = "RETR", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "RETR 1 2", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "RETR 99999999999999999999999", .states = 2, .verb = POP3_RETR, .number = POP3_NUMBER_MAX},
    {.line = "DELE 4", .states = 2, .verb = POP3_DELE, .number = 4},
    {.line = "DELE", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "TOP 5 0", .states = 2, .verb = POP3_TOP, .number = 5},
    {.line = "TOP 5 10", .states = 2, .verb = POP3_TOP, .number = 5, .lines = 10},
    {.line = "TOP 5", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "TOP 5 -1", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "TOP 5 1 1", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "NOOP", .states = 2, .verb = POP3_NOOP},
    {.line = "RSET", .states = 2, .verb = POP3_RSET},
    {.line = "RSET 1", .states = 2, .parsed = POP3_PARSE_ARGUMENT},
    {.line = "", .states = EITHER, .parsed = POP3_PARSE_UNKNOWN},
    {.line = " STAT", .states = EITHER, .parsed = POP3_PARSE_UNKNOWN},
    {.line = "APOP bob c4c9334bac560ecc979e58001b3e22fb", .states = EITHER, .parsed = POP3_PARSE_UNKNOWN},
    {.line = "XTND x", .states = EITHER, .parsed = POP3_PARSE_UNKNOWN},
};

static void check(const struct row *row, enum pop3_state state)
{
    struct pop3_command command = {0};
    bool is_placed = (row->states & (unsigned)state) != 0;
    enum pop3_parse parsed = pop3_command_parse(span_of_text(row->line), state, &command);
    if (parsed != (is_placed ? row->parsed : POP3_PARSE_STATE))
        fail_msg("%s: %u", row->line, (unsigned)parsed);
    if (parsed != POP3_PARSE_OK)
        return;
    bool is_right = command.verb == row->verb && span_equal(command.text, span_of_text(row->text)) &&
                    (command.text.at == NULL) == (row->text == NULL) &&
                    (command.initial.at == NULL) == (row->initial == NULL) &&
                    span_equal(command.initial, span_of_text(row->initial)) && command.number == row->number &&
                    command.has_number == (row->number != 0) && command.lines == row->lines;
    if (!is_right)
        fail_msg("%s is understood as something else", row->line);
}

static void lines_are_understood_in_their_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(&rows[i], POP3_AUTHORIZATION);
        check(&rows[i], POP3_TRANSACTION);
    }
}

static void control_bytes_are_no_name(void **state)
{
    struct pop3_command command;
    (void)state;
    assert_int_equal(pop3_command_parse(SPAN("USER a\0b"), POP3_AUTHORIZATION, &command), POP3_PARSE_ARGUMENT);
    assert_int_equal(pop3_command_parse(SPAN("PASS a\rb"), POP3_AUTHORIZATION, &command), POP3_PARSE_ARGUMENT);
    assert_int_equal(pop3_command_parse(SPAN("LIST\0 1"), POP3_TRANSACTION, &command), POP3_PARSE_UNKNOWN);
}

static void lines_are_found_and_long_ones_skipped(void **state)
{
    struct pop3_reader reader = {.max = 8};
    AUTO_BUF struct buf input;
    span_t line = SPAN_NONE;
    size_t len = 0;
    (void)state;
    buf_init(&input, 100);
    assert_int_equal(pop3_reader_next(&reader, &input, &line, &len), POP3_READ_MORE);
    buf_append(&input, SPAN("NOOP\r"));
    assert_int_equal(pop3_reader_next(&reader, &input, &line, &len), POP3_READ_MORE);
    buf_append(&input, SPAN("\nSTAT\n123456789"));
    assert_int_equal(pop3_reader_next(&reader, &input, &line, &len), POP3_READ_LINE);
    assert_true(span_equal(line, SPAN("NOOP")));
    buf_consume(&input, len);
    assert_int_equal(pop3_reader_next(&reader, &input, &line, &len), POP3_READ_LINE);
    assert_true(span_equal(line, SPAN("STAT")));
    buf_consume(&input, len);
    assert_int_equal(pop3_reader_next(&reader, &input, &line, &len), POP3_READ_LONG);
    assert_int_equal(pop3_reader_next(&reader, &input, &line, &len), POP3_READ_MORE);
    assert_int_equal(buf_len(&input), 0);
    buf_append(&input, SPAN("still\r\nQUIT\r\n"));
    assert_int_equal(pop3_reader_next(&reader, &input, &line, &len), POP3_READ_LINE);
    assert_true(span_equal(line, SPAN("QUIT")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_understood_in_their_state),
        cmocka_unit_test(control_bytes_are_no_name),
        cmocka_unit_test(lines_are_found_and_long_ones_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
