#include "base/test.h"

#include "tool/control.h"

#include <errno.h>
#include <string.h>

#include "tool/command.h"
#include "tool/tool.h"

static void a_command_becomes_one_packet(void **state)
{
    (void)state;
    AUTO_BUF struct buf packet;
    buf_init(&packet, 100);
    assert_int_equal(control_write(SPAN("a\0bc\0"), SPAN("in"), &packet), 0);
    assert_true(span_equal(buf_span(&packet), SPAN("\005\0\0\0a\0bc\0in")));
}

static void an_answer_is_taken_apart(void **state)
{
    (void)state;
    struct control_answer answer = {.status = 0, .session_fd = -1};
    buf_init(&answer.output, 100);
    buf_init(&answer.error, 100);
    assert_int_equal(control_read(SPAN("\001\0\0\0\003\0\0\0outwhy"), &answer), 0);
    assert_int_equal(answer.status, 1);
    assert_true(span_equal(buf_span(&answer.output), SPAN("out")));
    assert_true(span_equal(buf_span(&answer.error), SPAN("why")));
    assert_int_equal(control_read(SPAN("\001\0\0\0\004\0\0\0out"), &answer), -EPROTO);
    assert_int_equal(control_read(SPAN("\001\0\0\0\0"), &answer), -EPROTO);
    buf_deinit(&answer.output);
    buf_deinit(&answer.error);
}

static void nobody_at_the_socket_is_a_fault_of_its_own(void **state)
{
    (void)state;
    struct control_answer answer = {.status = 0, .session_fd = -1};
    assert_int_equal(control_ask("/nonexistent/control.sock", SPAN("x"), CONTROL_PATIENCE, &answer), -ENOENT);
}

static void commands_are_found_by_one_or_two_words(void **state)
{
    (void)state;
    char *add[] = {(char[]){"account"}, (char[]){"add"}, (char[]){"a@b"}};
    char *status[] = {(char[]){"status"}};
    int named = 0;
    assert_string_equal(tool_command_find(3, add, &named)->words, "account add");
    assert_int_equal(named, 2);
    assert_string_equal(tool_command_find(1, status, &named)->words, "status");
    assert_int_equal(named, 1);
    assert_null(tool_command_find(1, add, &named));
    assert_null(tool_command_find(0, add, &named));
}

static void wrong_usage_exits_with_2(void **state)
{
    (void)state;
    char *words[] = {(char[]){"waxwing"}, (char[]){"account"}, (char[]){"add"}, NULL};
    assert_int_equal(tool_run(1, words), 2);
    assert_int_equal(tool_run(2, words), 2);
    assert_int_equal(tool_run(3, words), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_becomes_one_packet),
        cmocka_unit_test(an_answer_is_taken_apart),
        cmocka_unit_test(nobody_at_the_socket_is_a_fault_of_its_own),
        cmocka_unit_test(commands_are_found_by_one_or_two_words),
        cmocka_unit_test(wrong_usage_exits_with_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
