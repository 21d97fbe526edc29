#include "base/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/pop3/engine.h"

/* A line, and what comes of it. */
struct turn {
    const char *line;
    enum pop3_step step;
    const char *answer; /* all of it, or, where it ends in *, its beginning */
};

struct stage {
    struct pop3_maildrop maildrop;
    struct pop3_engine engine;
    struct buf out;
};

static void stage_open(struct stage *stage, size_t messages)
{
    *stage = (struct stage){.engine = {.maildrop = &stage->maildrop, .mode = POP3_CAN_LOGIN}};
    stage->maildrop.uidvalidity = 77;
    buf_init(&stage->out, 1U << 20);
    for (size_t i = 0; i < messages; i++)
        assert_int_equal(pop3_maildrop_add(&stage->maildrop, (uint32_t)(10 + 3 * i), 100 * (i + 1)), 0);
}

static void stage_close(struct stage *stage)
{
    pop3_maildrop_deinit(&stage->maildrop);
    buf_deinit(&stage->out);
}

static void play(struct stage *stage, const struct turn *turns)
{
    for (; turns->line != NULL; turns++) {
        buf_clear(&stage->out);
        enum pop3_step step = pop3_engine_line(&stage->engine, span_of_text(turns->line), &stage->out);
        span_t answer = buf_span(&stage->out);
        span_t expected = span_of_text(turns->answer);
        bool is_open = span_ends(expected, SPAN("*"));
        bool is_right =
            is_open ? span_starts(answer, span_upto(expected, expected.len - 1)) : span_equal(answer, expected);
        if (step != turns->step || !is_right)
            fail_msg("%s: step %u: %.*s", turns->line, (unsigned)step, SPAN_PRINT(answer));
    }
}

static void a_maildrop_is_listed(void **state)
{
    static const struct turn turns[] = {
        {"STAT", POP3_STEP_DONE, "+OK 3 600\r\n"},
        {"LIST", POP3_STEP_DONE, "+OK 3 messages (600 octets)\r\n1 100\r\n2 200\r\n3 300\r\n.\r\n"},
        {"LIST 2", POP3_STEP_DONE, "+OK 2 200\r\n"},
        {"LIST 4", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"LIST 0", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"UIDL", POP3_STEP_DONE, "+OK 3 messages (600 octets)\r\n1 77.10\r\n2 77.13\r\n3 77.16\r\n.\r\n"},
        {"UIDL 3", POP3_STEP_DONE, "+OK 3 77.16\r\n"},
        {"UIDL 18446744073709551616", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"NOOP", POP3_STEP_DONE, "+OK Done\r\n"},
        {"CAPA", POP3_STEP_DONE, "+OK Capabilities follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n*"},
        {"LANG", POP3_STEP_DONE, "+OK Languages follow\r\nen English\r\n*"},
        {"LANG en", POP3_STEP_DONE, "+OK en *"},
        {"LANG tlh", POP3_STEP_DONE, "-ERR *"},
        {NULL, 0, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, 3);
    play(&stage, turns);
    stage_close(&stage);
}

/* RFC 1939 §5 */
static void a_marked_message_cannot_be_referred_to(void **state)
{
    static const struct turn turns[] = {
        {"DELE 2", POP3_STEP_DONE, "+OK *"},
        {"DELE 2", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"RETR 2", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"TOP 2 1", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"LIST 2", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"UIDL 2", POP3_STEP_DONE, "-ERR No such message\r\n"},
        {"STAT", POP3_STEP_DONE, "+OK 2 400\r\n"},
        {"LIST", POP3_STEP_DONE, "+OK 2 messages (400 octets)\r\n1 100\r\n3 300\r\n.\r\n"},
        {"RSET", POP3_STEP_DONE, "+OK 3 messages (600 octets)\r\n"},
        {"STAT", POP3_STEP_DONE, "+OK 3 600\r\n"},
        {"RETR 2", POP3_STEP_SEND, ""},
        {NULL, 0, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, 3);
    play(&stage, turns);
    assert_int_equal(stage.engine.entry->uid, 13);
    stage_close(&stage);
}

static void what_the_engine_cannot_do_is_asked_for(void **state)
{
    static const struct turn turns[] = {{"TOP 1 7", POP3_STEP_SEND, ""}, {NULL, 0, NULL}};
    static const struct turn most[] = {{"TOP 1 99999999999999999999", POP3_STEP_SEND, ""}, {NULL, 0, NULL}};
    static const struct turn others[] = {
        {"RETR 1", POP3_STEP_SEND, ""}, {"QUIT", POP3_STEP_UPDATE, ""}, {NULL, 0, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, 1);
    play(&stage, turns);
    assert_int_equal(stage.engine.lines, 7);
    play(&stage, most);
    assert_true(stage.engine.lines < POP3_LINES_ALL);
    play(&stage, others);
    assert_true(stage.engine.lines == POP3_LINES_ALL);
    stage_close(&stage);
}

static void mistakes_are_counted_until_one_gets_it_right(void **state)
{
    static const struct turn turns[] = {{"USER x", POP3_STEP_DONE, "-ERR *"}, {"STLS", POP3_STEP_DONE, "-ERR *"},
                                        {"UTF8", POP3_STEP_DONE, "-ERR *"},   {"RETR", POP3_STEP_DONE, "-ERR *"},
                                        {"WHAT?", POP3_STEP_DONE, "-ERR *"},  {NULL, 0, NULL}};
    static const struct turn right[] = {{"NOOP", POP3_STEP_DONE, "+OK *"}, {NULL, 0, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, 1);
    play(&stage, turns);
    assert_int_equal(stage.engine.bad, 5);
    play(&stage, right);
    assert_int_equal(stage.engine.bad, 0);
    stage_close(&stage);
}

static void an_empty_maildrop_is_none_the_less_one(void **state)
{
    static const struct turn turns[] = {{"STAT", POP3_STEP_DONE, "+OK 0 0\r\n"},
                                        {"LIST", POP3_STEP_DONE, "+OK 0 messages (0 octets)\r\n.\r\n"},
                                        {"UIDL", POP3_STEP_DONE, "+OK 0 messages (0 octets)\r\n.\r\n"},
                                        {"RETR 1", POP3_STEP_DONE, "-ERR No such message\r\n"},
                                        {"RSET", POP3_STEP_DONE, "+OK 0 messages (0 octets)\r\n"},
                                        {NULL, 0, NULL}};
    struct stage stage;
    (void)state;
    stage_open(&stage, 0);
    play(&stage, turns);
    stage_close(&stage);
}

/* A listing of any length is written piece by piece. */
static void a_long_listing_comes_in_pieces(void **state)
{
    struct stage stage;
    size_t pieces = 0;
    size_t lines = 0;
    (void)state;
    stage_open(&stage, 50000);
    enum pop3_step step = pop3_engine_line(&stage.engine, SPAN("UIDL"), &stage.out);
    for (;; pieces++) {
        span_t rest = buf_span(&stage.out);
        assert_true(rest.len < POP3_ENGINE_PIECE + 100);
        for (span_t line; span_cut(&rest, '\n', &line);)
            lines += line.len > 0 ? 1 : 0;
        if (step != POP3_STEP_MORE)
            break;
        buf_clear(&stage.out);
        step = pop3_engine_more(&stage.engine, &stage.out);
    }
    assert_int_equal(step, POP3_STEP_DONE);
    assert_true(pieces > 5);
    assert_int_equal(lines, 50002);
    stage_close(&stage);
}

static void a_maildrop_without_memory_says_so(void **state)
{
    struct pop3_maildrop maildrop = {0};
    (void)state;
    mem_fail_after(1);
    assert_true(pop3_maildrop_add(&maildrop, 1, 1) < 0);
    mem_fail_after(0);
    assert_int_equal(maildrop.count, 0);
    pop3_maildrop_deinit(&maildrop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_maildrop_is_listed),
        cmocka_unit_test(a_marked_message_cannot_be_referred_to),
        cmocka_unit_test(what_the_engine_cannot_do_is_asked_for),
        cmocka_unit_test(mistakes_are_counted_until_one_gets_it_right),
        cmocka_unit_test(an_empty_maildrop_is_none_the_less_one),
        cmocka_unit_test(a_long_listing_comes_in_pieces),
        cmocka_unit_test(a_maildrop_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
