#include "base/test.h"

#include "tool/terminal.h"

#include <errno.h>

static void what_a_terminal_would_obey_is_replaced(void **state)
{
    (void)state;
    static const struct {
        span_t text;
        enum terminal_shape shape;
        const char *clean;
    } rows[] = {
        {{(const uint8_t *)"NO plain words", 14}, TERMINAL_LINE, "NO plain words"},
        {{(const uint8_t *)"\033]0;title\a\033[2J", 14}, TERMINAL_LINE, "?]0;title??[2J"},
        {{(const uint8_t *)"a\rb\bc\177d\0e", 9}, TERMINAL_LINES, "a?b?c?d?e"},
        {{(const uint8_t *)"one\n\ttwo", 8}, TERMINAL_LINES, "one\n\ttwo"},
        {{(const uint8_t *)"one\n\ttwo", 8}, TERMINAL_LINE, "one??two"},
        {{(const uint8_t *)"\x9b"
                           "31m",
          4},
         TERMINAL_LINES,
         "?31m"},
        {{(const uint8_t *)"\xc2\x9b"
                           "31m",
          5},
         TERMINAL_LINES,
         "?31m"},
        {{(const uint8_t *)"Stra\xc3\x9f"
                           "e \xe6\x97\xa5",
          11},
         TERMINAL_LINE,
         "Stra\xc3\x9f"
         "e \xe6\x97\xa5"},
        {{(const uint8_t *)"\xe2\x80\xae"
                           "gpj.exe\xe2\x81\xa6",
          13},
         TERMINAL_LINES,
         "?gpj.exe?"},
        {{(const uint8_t *)"\xc3(\xff\xe6\x97", 5}, TERMINAL_LINES, "?(???"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf clean;
        buf_init(&clean, 100);
        assert_int_equal(terminal_clean(rows[i].text, rows[i].shape, &clean), 0);
        (void)buf_append_byte(&clean, '\0');
        assert_string_equal(buf_span(&clean).at, rows[i].clean);
    }
}

static void more_than_there_is_room_for_is_a_fault(void **state)
{
    (void)state;
    AUTO_BUF struct buf clean;
    buf_init(&clean, 4);
    assert_int_equal(terminal_clean(SPAN("12345"), TERMINAL_LINE, &clean), -ENOBUFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_would_obey_is_replaced),
        cmocka_unit_test(more_than_there_is_room_for_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
