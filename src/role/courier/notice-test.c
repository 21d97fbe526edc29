#include "base/test.h"

#include "role/courier/notice.h"

static void expect(const struct notice *notice, const char *const *parts, size_t count)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 16384);
    assert_int_equal(notice_write(notice, &text), 0);
    for (size_t at = 0; at < count; at++)
        if (span_find(buf_span(&text), span_of_text(parts[at])) == buf_len(&text))
            fail_msg("without %s: %.*s", parts[at], SPAN_PRINT(buf_span(&text)));
    for (size_t at = 0, line = 0; at < buf_len(&text); at++) {
        uint8_t byte = buf_span(&text).at[at];
        assert_true(byte != '\n' || buf_span(&text).at[at - 1] == '\r');
        line = byte == '\n' ? 0 : line + 1;
        assert_in_range(line, 0, 120);
    }
}

static void owner_and_operator_hear_what_was_seen_and_what_to_do(void **state)
{
    (void)state;
    struct notice notice = {.reader = NOTICE_OWNER,
                            .hostname = SPAN("mx.demo.test"),
                            .to = SPAN("alice@demo.test"),
                            .account = SPAN("alice@demo.test"),
                            .why = HOLD_STRANGERS,
                            .seen = 231,
                            .usual = 3,
                            .now = 1136214245,
                            .id = 0xABCDEF};
    static const char *const owner[] = {"To: <alice@demo.test>\r\nSubject: Your mail to others is held back\r\n",
                                        "Auto-Submitted: auto-generated\r\n",
                                        "never written to before:\r\n231 of them",
                                        "about 3.",
                                        "change your password",
                                        "postmaster@mx.demo.test"};
    static const char *const operator[] = {"To: <root@demo.test>\r\nSubject: The mail of alice@demo.test is held",
                                           "refused many recipients", "231 of them",
                                           "waxwing queue release --account alice@demo.test\r\n",
                                           "waxwing queue remove --account alice@demo.test\r\n"};
    expect(&notice, owner, COUNT_OF(owner));
    notice.reader = NOTICE_OPERATOR;
    notice.why = HOLD_BOUNCES;
    notice.to = SPAN("root@demo.test");
    expect(&notice, operator, COUNT_OF(operator));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(owner_and_operator_hear_what_was_seen_and_what_to_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
