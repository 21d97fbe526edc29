#include "base/test.h"

#include <string.h>

#include "proto/imap/command.h"
#include "proto/imap/mailbox.h"
#include "proto/imap/reader.h"

struct line {
    const char *text;
    enum imap_parse outcome;
    enum imap_verb verb;
};

static int parse(const char *text, enum imap_state state, struct arena *arena, struct imap_command *command)
{
    const char *why = NULL;
    int result = imap_command_parse(span_of_text(text), state, arena, command, &why);
    if (result != IMAP_PARSE_OK)
        assert_non_null(why);
    return result;
}

static void check_lines(const struct line *lines, size_t count, enum imap_state state)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(arena) struct arena *arena = NULL;
        struct imap_command command;
        assert_int_equal(arena_new(1 << 20, &arena), 0);
        int outcome = parse(lines[i].text, state, arena, &command);
        if (outcome != (int)lines[i].outcome)
            fail_msg("%s: %d instead of %d", lines[i].text, outcome, (int)lines[i].outcome);
        if (outcome == IMAP_PARSE_OK && command.verb != lines[i].verb)
            fail_msg("%s: read as %s", lines[i].text, imap_verb_name(command.verb));
    }
}

static void lines_before_login_are_understood_or_refused(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"a CAPABILITY\r\n", IMAP_PARSE_OK, IMAP_CAPABILITY},                    /* RFC 3501 §6.1.1 */
        {"a noop\n", IMAP_PARSE_OK, IMAP_NOOP},                                  /* RFC 3501 §9: any case */
        {"a LOGIN joe \"p \\\" w\"\r\n", IMAP_PARSE_OK, IMAP_LOGIN},             /* RFC 3501 §6.2.3 */
        {"a LOGIN {3}\r\njoe {3+}\r\na b\r\n", IMAP_PARSE_OK, IMAP_LOGIN},       /* RFC 7888 §3 */
        {"a AUTHENTICATE PLAIN AGEAYg==\r\n", IMAP_PARSE_OK, IMAP_AUTHENTICATE}, /* RFC 4959 §3 */
        {"a AUTHENTICATE PLAIN =\r\n", IMAP_PARSE_OK, IMAP_AUTHENTICATE},        /* RFC 4959 §3 */
        {"a ID NIL\r\n", IMAP_PARSE_OK, IMAP_ID},                                /* RFC 2971 §3.1 */
        {"a ID (\"name\" \"x\" \"os\" NIL)\r\n", IMAP_PARSE_OK, IMAP_ID},
        {"a ID (\"name\")\r\n", IMAP_PARSE_BAD, 0},
        {"a LOGIN joe\r\n", IMAP_PARSE_BAD, 0},
        {"a LOGIN joe pw extra\r\n", IMAP_PARSE_BAD, 0},
        {"a LOGIN \"joe pw\r\n", IMAP_PARSE_BAD, 0},
        {"a LOGIN {9}\r\njoe pw\r\n", IMAP_PARSE_BAD, 0},
        {"a SELECT INBOX\r\n", IMAP_PARSE_STATE, 0}, /* RFC 3501 §3.1 */
        {"a FROBNICATE\r\n", IMAP_PARSE_UNKNOWN, 0},
        {"a UID LOGIN joe pw\r\n", IMAP_PARSE_UNKNOWN, 0},
        {"+ NOOP\r\n", IMAP_PARSE_BAD, 0}, /* RFC 3501 §9: no "+" in a tag */
        {"a\r\n", IMAP_PARSE_BAD, 0},
        {"\r\n", IMAP_PARSE_BAD, 0},
        {"", IMAP_PARSE_BAD, 0},
    };
    check_lines(lines, COUNT_OF(lines), IMAP_BEFORE_LOGIN);
}

static void lines_after_login_are_understood_or_refused(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"a SELECT \"INBOX\"\r\n", IMAP_PARSE_OK, IMAP_SELECT},
        {"a SELECT INBOX (CONDSTORE)\r\n", IMAP_PARSE_OK, IMAP_SELECT}, /* RFC 7162 §3.1.8 */
        {"a SELECT (\r\n", IMAP_PARSE_BAD, 0},
        {"a SELECT INBOX (QRESYNC (1 2 1:9 (1,2 1,2)) CONDSTORE)\r\n", IMAP_PARSE_OK,
         IMAP_SELECT}, /* RFC 7162 §3.2.5 */
        {"a SELECT INBOX (QRESYNC (1 2 1:*))\r\n", IMAP_PARSE_BAD, 0},
        {"a SELECT INBOX (QRESYNC (1))\r\n", IMAP_PARSE_BAD, 0},
        {"a CREATE Sent2 (USE (\\Sent))\r\n", IMAP_PARSE_OK, IMAP_CREATE}, /* RFC 6154 §3 */
        {"a RENAME a b\r\n", IMAP_PARSE_OK, IMAP_RENAME},
        {"a LIST \"\" *\r\n", IMAP_PARSE_OK, IMAP_LIST},
        {"a LIST \"\" \"\"\r\n", IMAP_PARSE_OK, IMAP_LIST},
        {"a LIST (SPECIAL-USE) \"\" (a* b%) RETURN (CHILDREN)\r\n", IMAP_PARSE_OK, IMAP_LIST}, /* RFC 6154 §2 */
        {"a LIST \"\"\r\n", IMAP_PARSE_BAD, 0},
        {"a STATUS x (MESSAGES UNSEEN)\r\n", IMAP_PARSE_OK, IMAP_STATUS},
        {"a STATUS x ()\r\n", IMAP_PARSE_BAD, 0}, /* RFC 3501 §9: at least one */
        {"a FETCH 1:* (FLAGS BODY[HEADER.FIELDS (TO)]<0.9>)\r\n", IMAP_PARSE_OK, IMAP_FETCH},
        {"a UID FETCH 1,3:5 FAST (CHANGEDSINCE 7)\r\n", IMAP_PARSE_OK, IMAP_FETCH},           /* RFC 7162 §3.1.4.1 */
        {"a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 7 VANISHED)\r\n", IMAP_PARSE_OK, IMAP_FETCH}, /* RFC 7162 §3.2.6 */
        {"a FETCH 1:* (FLAGS) (CHANGEDSINCE 7 VANISHED)\r\n", IMAP_PARSE_BAD, 0},
        {"a UID FETCH 1:* (FLAGS) (PARTIAL -1:-30)\r\n", IMAP_PARSE_OK, IMAP_FETCH}, /* RFC 9394 §3.2 */
        {"a UID FETCH 1:* (FLAGS) (PARTIAL 0:3)\r\n", IMAP_PARSE_BAD, 0},
        {"a FETCH 1 (BINARY.SIZE[1.2] BINARY.PEEK[]<0.9> EMAILID)\r\n", IMAP_PARSE_OK, IMAP_FETCH}, /* RFC 3516 §7 */
        {"a FETCH 1 BINARY[1.MIME]\r\n", IMAP_PARSE_BAD, 0},
        {"a FETCH 1 BINARY.SIZE[1]<0.3>\r\n", IMAP_PARSE_BAD, 0},
        {"a FETCH 0 FLAGS\r\n", IMAP_PARSE_BAD, 0}, /* RFC 3501 §9: nz-number */
        {"a FETCH 1 FROB\r\n", IMAP_PARSE_BAD, 0},
        {"a FETCH 1 BODY[\r\n", IMAP_PARSE_BAD, 0},
        {"a FETCH 1 ()\r\n", IMAP_PARSE_BAD, 0},
        {"a STORE 1 +FLAGS.SILENT \\Seen x\r\n", IMAP_PARSE_OK, IMAP_STORE},
        {"a STORE 1 (UNCHANGEDSINCE 9) FLAGS ()\r\n", IMAP_PARSE_OK, IMAP_STORE}, /* RFC 7162 §3.1.3 */
        {"a UIDBATCHES 2000 1:4\r\n", IMAP_PARSE_OK, IMAP_UIDBATCHES},            /* RFC 10022 §3 */
        {"a UIDBATCHES 2000 1:\r\n", IMAP_PARSE_BAD, 0},
        {"a NOTIFY NONE\r\n", IMAP_PARSE_OK, IMAP_NOTIFY}, /* RFC 5465 §8 */
        {"a notify set status (Selected-Delayed (MessageNew (UID) MessageExpunge)) (subtree (a b) NONE)\r\n",
         IMAP_PARSE_OK, IMAP_NOTIFY},
        {"a NOTIFY SET (mailboxes a (MessageExpunge MessageNew FlagChange ServerMetadataChange))\r\n", IMAP_PARSE_OK,
         IMAP_NOTIFY},
        {"a NOTIFY SET (selected (FlagChange))\r\n", IMAP_PARSE_BAD, 0},
        {"a NOTIFY SET (selected ())\r\n", IMAP_PARSE_BAD, 0},
        {"a NOTIFY SET selected NONE\r\n", IMAP_PARSE_BAD, 0},
        {"a UID EXPUNGE 1:3\r\n", IMAP_PARSE_OK, IMAP_EXPUNGE}, /* RFC 4315 §2.1 */
        {"a EXPUNGE 1:3\r\n", IMAP_PARSE_BAD, 0},
        {"a UID MOVE 1 x\r\n", IMAP_PARSE_OK, IMAP_MOVE}, /* RFC 6851 §3 */
        {"a LOGIN joe pw\r\n", IMAP_PARSE_STATE, 0},
    };
    check_lines(lines, COUNT_OF(lines), IMAP_SELECTED);
}

static void lines_that_search_are_understood_or_refused(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"a SEARCH RETURN () OR NOT (1:3 SEEN) FROM x\r\n", IMAP_PARSE_OK, IMAP_SEARCH}, /* RFC 4731 §3.1 */
        {"a SEARCH CHARSET UTF-8 SUBJECT {2+}\r\nhi SINCE 1-Feb-1994\r\n", IMAP_PARSE_OK, IMAP_SEARCH},
        {"a SEARCH RETURN (SAVE PARTIAL 1:9) $ OLDER 3\r\n", IMAP_PARSE_OK, IMAP_SEARCH}, /* RFC 5182 §2, 9394 §3.1 */
        {"a SEARCH RETURN (ALL PARTIAL 1:9) ALL\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH YOUNGER 0\r\n", IMAP_PARSE_BAD, 0},                                                /* RFC 5032 §3 */
        {"a UID SORT RETURN (COUNT) (REVERSE DATE SUBJECT) UTF-8 ALL\r\n", IMAP_PARSE_OK, IMAP_SORT}, /* RFC 5256 §3 */
        {"a SORT () UTF-8 ALL\r\n", IMAP_PARSE_BAD, 0},
        {"a SORT RETURN (CONTEXT UPDATE COUNT) (SIZE) UTF-8 ALL\r\n", IMAP_PARSE_OK, IMAP_SORT}, /* RFC 5267 §4 */
        {"a SEARCH RETURN (UPDATE (UID BODY.PEEK[]) MIN) ALL\r\n", IMAP_PARSE_OK, IMAP_SEARCH},  /* RFC 5465 §7 */
        {"a SEARCH RETURN (UPDATE UPDATE) ALL\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH RETURN (UPDATE ()) ALL\r\n", IMAP_PARSE_BAD, 0},
        {"a CANCELUPDATE \"b\" \"c\"\r\n", IMAP_PARSE_OK, IMAP_CANCELUPDATE}, /* RFC 5267 §5 */
        {"a CANCELUPDATE b\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH RETURN (RELEVANCY) NOT FUZZY (TEXT x SEEN)\r\n", IMAP_PARSE_OK, IMAP_SEARCH}, /* RFC 6203 §6 */
        {"a SORT (REVERSE RELEVANCY) UTF-8 FUZZY SUBJECT x\r\n", IMAP_PARSE_OK, IMAP_SORT},      /* RFC 6203 §6 */
        {"a SEARCH RETURN (RELEVANCY) TEXT x\r\n", IMAP_PARSE_BAD, 0},
        {"a SORT (RELEVANCY) UTF-8 TEXT x\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH FUZZY\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH UIDAFTER 7 UIDBEFORE 9\r\n", IMAP_PARSE_OK, IMAP_SEARCH}, /* RFC 9738 §3.2 */
        {"a SEARCH UIDAFTER *\r\n", IMAP_PARSE_BAD, 0},
        {"a SORT (DATE) UTF-8\r\n", IMAP_PARSE_BAD, 0},
        {"a THREAD REFERENCES UTF-8 ALL\r\n", IMAP_PARSE_OK, IMAP_THREAD},
        {"a THREAD NONE UTF-8 ALL\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH OR SEEN\r\n", IMAP_PARSE_BAD, 0},
        {"a SEARCH SINCE 31-Apr-1994\r\n", IMAP_PARSE_BAD, 0},
    };
    check_lines(lines, COUNT_OF(lines), IMAP_SELECTED);
}

static void nesting_of_search_keys_is_bounded(void **state)
{
    (void)state;
    char text[4096] = "a SEARCH ";
    for (int i = 0; i < 500; i++)
        strcat(text, "NOT ");
    strcat(text, "SEEN\r\n");
    AUTO(arena) struct arena *arena = NULL;
    struct imap_command command;
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    assert_int_equal(parse(text, IMAP_SELECTED, arena, &command), IMAP_PARSE_BAD);
}

static void lines_that_bring_messages_are_understood_or_refused(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"a APPEND x (\\Seen $a) \"17-Jul-1996 02:44:25 -0700\" {2+}\r\nhi\r\n", IMAP_PARSE_OK, IMAP_APPEND},
        {"a APPEND x (\\Frob) {2+}\r\nhi\r\n", IMAP_PARSE_BAD, 0},
        {"a APPEND x", IMAP_PARSE_BAD, 0},
        {"a APPEND x {2+}\r\nhi \r\n", IMAP_PARSE_OK, IMAP_APPEND},
        {"a APPEND x {2+}\r\nhi (\\Seen)", IMAP_PARSE_BAD, 0},
        {"a APPEND x {2+}\r\nhi{2+}\r\nhi", IMAP_PARSE_BAD, 0},
        {"a APPEND x CATENATE ()", IMAP_PARSE_BAD, 0},
        {"a APPEND x CATENATE (TEXT x)", IMAP_PARSE_BAD, 0},
        {"a APPEND x CATENATE (TEXT {1+}\r\nx", IMAP_PARSE_BAD, 0},
        {"a APPEND x CATENATE ({1+}\r\nx)", IMAP_PARSE_BAD, 0},
        {"a APPEND x CATENATE (URL)", IMAP_PARSE_BAD, 0},
        {"a REPLACE * x {1+}\r\nx", IMAP_PARSE_OK, IMAP_REPLACE},
        {"a REPLACE 1:2 x {1+}\r\nx", IMAP_PARSE_BAD, 0},
        {"a REPLACE 1,2 x {1+}\r\nx", IMAP_PARSE_BAD, 0},
        {"a REPLACE $ x {1+}\r\nx", IMAP_PARSE_BAD, 0},
        {"a REPLACE 1 {1+}\r\nx", IMAP_PARSE_BAD, 0},
        {"a REPLACE 1 x {1+}\r\nx {1+}\r\nx", IMAP_PARSE_BAD, 0},
        {"a APPEND x \"40-Jul-1996 02:44:25 -0700\" {2+}\r\nhi\r\n", IMAP_PARSE_BAD, 0},
    };
    check_lines(lines, COUNT_OF(lines), IMAP_SELECTED);
}

static void append_takes_flags_date_and_message(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct imap_command command;
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    const char *text = "a APPEND \"&AOk-\" (\\Seen key) \" 1-Jan-1970 01:00:01 +0100\" {3}\r\n\r\nx\r\n";
    assert_int_equal(parse(text, IMAP_AUTHENTICATED, arena, &command), IMAP_PARSE_OK);
    assert_true(span_equal(command.mailbox, SPAN("\xc3\xa9")));
    assert_int_equal(command.append.count, 1);
    assert_int_equal(command.append.messages[0].flags.system, IMAP_FLAG_SEEN);
    assert_int_equal(command.append.messages[0].flags.count, 1);
    assert_int_equal(command.append.messages[0].seconds, 1);
    assert_true(span_equal(command.append.messages[0].bytes, SPAN("\r\nx")));
}

static void append_takes_many_messages_and_their_parts(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct imap_command command;
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    const char *text = "a APPEND x {1}\r\na (\\Seen) {1+}\r\nb UTF8 (~{1}\r\nc) \" 1-Jan-1970 01:00:01 +0100\" "
                       "CATENATE (TEXT {1}\r\nd URL /x/;UID=1 URL {8}\r\n/y/;UID= utf8 (~{1+}\r\ne))\r\n";
    assert_int_equal(parse(text, IMAP_AUTHENTICATED, arena, &command), IMAP_PARSE_OK);
    assert_int_equal(command.append.count, 4);
    const struct imap_new_message *messages = command.append.messages;
    assert_true(span_equal(messages[0].bytes, SPAN("a")));
    assert_int_equal(messages[1].flags.system, IMAP_FLAG_SEEN);
    assert_false(messages[1].dated);
    assert_true(span_equal(messages[2].bytes, SPAN("c")));
    assert_true(messages[3].dated);
    assert_int_equal(messages[3].part_count, 4);
    assert_false(messages[3].parts[0].is_url);
    assert_true(span_equal(messages[3].parts[0].bytes, SPAN("d")));
    assert_true(messages[3].parts[1].is_url);
    assert_true(span_equal(messages[3].parts[1].bytes, SPAN("/x/;UID=1")));
    assert_true(span_equal(messages[3].parts[2].bytes, SPAN("/y/;UID=")));
    assert_true(span_equal(messages[3].parts[3].bytes, SPAN("e")));
}

static void replace_takes_one_message_for_another(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct imap_command command;
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    assert_int_equal(parse("a uid replace 7 Drafts (\\Draft) {1}\r\nx\r\n", IMAP_SELECTED, arena, &command),
                     IMAP_PARSE_OK);
    assert_int_equal(command.verb, IMAP_REPLACE);
    assert_true(command.uid);
    assert_int_equal(command.set.ranges[0].first, 7);
    assert_true(span_equal(command.mailbox, SPAN("Drafts")));
    assert_int_equal(command.append.count, 1);
}

static enum imap_read read_all(struct imap_reader *reader, struct buf *input, const char *text, uint64_t *ret_len)
{
    assert_int_equal(buf_append_text(input, text), 0);
    return imap_reader_next(reader, input, ret_len);
}

static void a_reader_asks_for_literals_and_ends_at_the_line(void **state)
{
    (void)state;
    struct imap_reader reader;
    struct buf input AUTO_BUF;
    uint64_t len = 0;
    buf_init(&input, 1 << 16);
    imap_reader_init(&reader, 100, 10, 20);
    assert_int_equal(read_all(&reader, &input, "a LOGIN {3}\r", &len), IMAP_READ_MORE);
    assert_int_equal(read_all(&reader, &input, "\n", &len), IMAP_READ_CONTINUE);
    assert_int_equal(len, 3);
    assert_int_equal(imap_reader_next(&reader, &input, &len), IMAP_READ_MORE);
    assert_int_equal(read_all(&reader, &input, "j\noe", &len), IMAP_READ_MORE);
    assert_int_equal(read_all(&reader, &input, " x\r\nb NOOP\r\n", &len), IMAP_READ_COMMAND);
    assert_int_equal(len, 21);
    buf_consume(&input, (size_t)len);
    assert_int_equal(imap_reader_next(&reader, &input, &len), IMAP_READ_COMMAND);
    assert_int_equal(len, 8);
}

static void what_is_too_long_is_refused_and_thrown_away(void **state)
{
    (void)state;
    struct imap_reader reader;
    struct buf input AUTO_BUF;
    uint64_t len = 0;
    buf_init(&input, 1 << 16);
    imap_reader_init(&reader, 40, 10, 20);
    /* A literal that waits for us never comes; one that does not wait is skipped. */
    assert_int_equal(read_all(&reader, &input, "a APPEND x {21}\r\n", &len), IMAP_READ_LITERAL_BIG);
    imap_reader_refuse(&reader, &input);
    assert_int_equal(buf_len(&input), 0);
    assert_int_equal(read_all(&reader, &input, "b APPEND x {25+}\r\n", &len), IMAP_READ_LITERAL_BIG);
    imap_reader_refuse(&reader, &input);
    assert_int_equal(read_all(&reader, &input, "0123456789", &len), IMAP_READ_MORE);
    assert_int_equal(read_all(&reader, &input, "012345678\n01234 rest\r\nc NOOP\r\n", &len), IMAP_READ_COMMAND);
    assert_int_equal(len, 8);
    buf_consume(&input, (size_t)len);
    assert_int_equal(read_all(&reader, &input, "d 0123456789012345678901234567890123456789", &len),
                     IMAP_READ_LINE_LONG);
    imap_reader_refuse(&reader, &input);
    assert_int_equal(read_all(&reader, &input, "456789\r\ne NOOP\r\n", &len), IMAP_READ_COMMAND);
    assert_int_equal(len, 8);
}

static void the_messages_of_a_command_have_a_limit_together(void **state)
{
    (void)state;
    struct imap_reader reader;
    struct buf input AUTO_BUF;
    uint64_t len = 0;
    buf_init(&input, 1 << 16);
    imap_reader_init(&reader, 100, 10, 20);
    assert_int_equal(read_all(&reader, &input, "a uid replace 1 x {20}\r\n", &len), IMAP_READ_CONTINUE);
    assert_int_equal(read_all(&reader, &input, "01234567890123456789 {11}\r\n", &len), IMAP_READ_COMMAND_BIG);
    imap_reader_refuse(&reader, &input);
    assert_int_equal(read_all(&reader, &input, "b APPEND {1}\r\n", &len), IMAP_READ_CONTINUE);
    assert_int_equal(read_all(&reader, &input, "x {20+}\r\n01234567890123456789 {20+}\r\n", &len),
                     IMAP_READ_COMMAND_BIG);
    imap_reader_refuse(&reader, &input);
    assert_int_equal(read_all(&reader, &input, "01234567890123456789 {1+}\r\nx\r\nc NOOP\r\n", &len),
                     IMAP_READ_COMMAND);
    assert_int_equal(len, 8);
}

static void mailbox_names_survive_modified_utf7(void **state)
{
    (void)state;
    static const struct {
        const char *utf8;
        const char *wire;
    } rows[] = {{"INBOX", "INBOX"},
                {"A&B", "A&-B"},
                {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                 "~peter/mail/&U,BTFw-/&ZeVnLIqe-"}, /* RFC 3501 §5.1.3 */
                {"\xf0\x9f\x93\xac", "&2D3c7A-"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        struct buf wire AUTO_BUF;
        span_t utf8 = SPAN_NONE;
        buf_init(&wire, 1000);
        assert_int_equal(arena_new(10000, &arena), 0);
        imap_mailbox_encode(span_of_text(rows[i].utf8), &wire);
        assert_true(span_equal(buf_span(&wire), span_of_text(rows[i].wire)));
        assert_int_equal(imap_mailbox_decode(buf_span(&wire), arena, &utf8), 0);
        assert_true(span_equal(utf8, span_of_text(rows[i].utf8)));
    }
    static const char *const bad[] = {"&", "&AOk", "&AGE-", "&2D0-", "&!!-"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(arena) struct arena *arena = NULL;
        span_t utf8 = SPAN_NONE;
        assert_int_equal(arena_new(10000, &arena), 0);
        assert_true(imap_mailbox_decode(span_of_text(bad[i]), arena, &utf8) < 0);
    }
}

static void wildcards_match_as_list_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *name;
        int matches;
    } rows[] = {{"*", "a/b", 1},      {"%", "a/b", 0},        {"%", "a", 1},        {"a/%", "a/b", 1},
                {"a*c", "abbc", 1},   {"a%c", "a/c", 0},      {"*b%", "a/b/bc", 1}, {"inbox", "INBOX", 1},
                {"InB%", "INBOX", 1}, {"inbox", "Inbox2", 0}, {"%/%", "a/b/c", 0},  {"*/c", "a/b/c", 1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (imap_mailbox_matches(span_of_text(rows[i].pattern), span_of_text(rows[i].name)) != rows[i].matches)
            fail_msg("%s %s", rows[i].pattern, rows[i].name);
}

static void sets_are_put_in_order(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct imap_set set;
    span_t text = SPAN("*:4,1,2,9:7,20 x");
    assert_int_equal(arena_new(10000, &arena), 0);
    assert_int_equal(imap_set_parse(&text, arena, &set), 0);
    assert_true(span_equal(text, SPAN(" x")));
    imap_set_fix(&set, 5);
    assert_int_equal(set.count, 4);
    assert_true(imap_set_has(&set, 1) && imap_set_has(&set, 5) && imap_set_has(&set, 8) && imap_set_has(&set, 20));
    assert_false(imap_set_has(&set, 3) || imap_set_has(&set, 6) || imap_set_has(&set, 21));
    assert_true(imap_set_beyond(&set, 19));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_before_login_are_understood_or_refused),
        cmocka_unit_test(lines_after_login_are_understood_or_refused),
        cmocka_unit_test(nesting_of_search_keys_is_bounded),
        cmocka_unit_test(lines_that_search_are_understood_or_refused),
        cmocka_unit_test(lines_that_bring_messages_are_understood_or_refused),
        cmocka_unit_test(append_takes_flags_date_and_message),
        cmocka_unit_test(append_takes_many_messages_and_their_parts),
        cmocka_unit_test(replace_takes_one_message_for_another),
        cmocka_unit_test(a_reader_asks_for_literals_and_ends_at_the_line),
        cmocka_unit_test(what_is_too_long_is_refused_and_thrown_away),
        cmocka_unit_test(the_messages_of_a_command_have_a_limit_together),
        cmocka_unit_test(mailbox_names_survive_modified_utf7),
        cmocka_unit_test(wildcards_match_as_list_says),
        cmocka_unit_test(sets_are_put_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
