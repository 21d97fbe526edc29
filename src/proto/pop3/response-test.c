#include "base/test.h"

#include "proto/pop3/response.h"

static bool has_line(span_t text, const char *line)
{
    for (span_t rest = text, one; span_cut(&rest, '\n', &one);)
        if (span_equal(span_trim(one), span_of_text(line)))
            return true;
    return false;
}

/* RFC 2449 §5, RFC 2595 §2.3 */
static void capabilities_are_what_works_here(void **state)
{
    static const struct row {
        unsigned mode;
        const char *has;
        const char *lacks;
    } rows[] = {
        {POP3_CAN_STLS, "STLS", "USER"},
        {POP3_CAN_STLS, "EXPIRE NEVER", "SASL PLAIN LOGIN SCRAM-SHA-256"},
        {POP3_CAN_LOGIN, "USER", "STLS"},
        {POP3_CAN_LOGIN, "SASL PLAIN LOGIN SCRAM-SHA-256", "SASL PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"},
        {POP3_CAN_LOGIN | POP3_CAN_PLUS, "SASL PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "STLS"},
        {0, "RESP-CODES", "STLS"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf out;
        buf_init(&out, 1000);
        pop3_write_capabilities(&out, rows[i].mode);
        assert_true(has_line(buf_span(&out), rows[i].has));
        assert_false(has_line(buf_span(&out), rows[i].lacks));
        assert_true(span_ends(buf_span(&out), SPAN("\r\n.\r\n")));
    }
}

static void mechanisms_are_listed_only_where_they_may_be_used(void **state)
{
    AUTO_BUF struct buf out;
    (void)state;
    buf_init(&out, 1000);
    pop3_write_mechanisms(&out, POP3_CAN_STLS);
    assert_true(span_equal(buf_span(&out), SPAN("+OK Mechanisms follow\r\n.\r\n")));
    buf_clear(&out);
    pop3_write_mechanisms(&out, POP3_CAN_LOGIN);
    assert_true(has_line(buf_span(&out), "PLAIN"));
    assert_false(has_line(buf_span(&out), "SCRAM-SHA-256-PLUS"));
}

/* RFC 6856 §3 */
static void there_is_english(void **state)
{
    static const struct row {
        const char *range;
        const char *answer;
    } rows[] = {{"en", "+OK en "},
                {"EN-gb", "+OK en "},
                {"*", "+OK en "},
                {"i-default", "+OK i-default "},
                {"de", "-ERR "},
                {"eng", "-ERR "},
                {NULL, "+OK Languages follow\r\nen English\r\n"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf out;
        buf_init(&out, 1000);
        pop3_write_language(&out, span_of_text(rows[i].range));
        assert_true(span_starts(buf_span(&out), span_of_text(rows[i].answer)));
    }
}

static void a_mode_survives_its_way(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 16; mode++) {
        AUTO_BUF struct buf text;
        buf_init(&text, 10);
        pop3_mode_write(&text, mode);
        assert_int_equal(pop3_mode_read(buf_span(&text)), mode);
    }
    assert_int_equal(pop3_mode_read(SPAN("")), 0);
    assert_int_equal(pop3_mode_read(SPAN("999")), 0);
    assert_int_equal(pop3_mode_read(SPAN("x")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capabilities_are_what_works_here),
        cmocka_unit_test(mechanisms_are_listed_only_where_they_may_be_used),
        cmocka_unit_test(there_is_english),
        cmocka_unit_test(a_mode_survives_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
