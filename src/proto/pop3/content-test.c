#include "base/test.h"

#include "proto/pop3/command.h"
#include "proto/pop3/content.h"

/* A message, and what of it is sent. */
static const struct row {
    const char *message;
    uint64_t lines;
    const char *sent;
} rows[] = {
    {"A: b\r\n\r\nx\r\n", POP3_LINES_ALL, "A: b\r\n\r\nx\r\n.\r\n"},
    {"", POP3_LINES_ALL, ".\r\n"},
    {".\r\n..\r\n.x\r\nx.\r\n", POP3_LINES_ALL, "..\r\n...\r\n..x\r\nx.\r\n.\r\n"}, /* RFC 1939 §3 */
    {"x", POP3_LINES_ALL, "x\r\n.\r\n"},
    {".", POP3_LINES_ALL, "..\r\n.\r\n"},
    {"x\r", POP3_LINES_ALL, "x\r\n.\r\n"},
    {"a\nb\n.\nc", POP3_LINES_ALL, "a\r\nb\r\n..\r\nc\r\n.\r\n"}, /* no reader of bare LFs finds an end in it either */
    {"a\r\r\n.\r\n", POP3_LINES_ALL, "a\r\r\n..\r\n.\r\n"},
    {"A: b\r\n\r\n1\r\n2\r\n3\r\n", 0, "A: b\r\n\r\n.\r\n"}, /* RFC 1939 §7 */
    {"A: b\r\n\r\n1\r\n2\r\n3\r\n", 1, "A: b\r\n\r\n1\r\n.\r\n"},
    {"A: b\r\n\r\n1\r\n2\r\n3\r\n", 3, "A: b\r\n\r\n1\r\n2\r\n3\r\n.\r\n"},
    {"A: b\r\n\r\n1\r\n2\r\n3\r\n", 9, "A: b\r\n\r\n1\r\n2\r\n3\r\n.\r\n"},
    {"A: b\r\n\r\n\r\n.\r\n3\r\n", 2, "A: b\r\n\r\n\r\n..\r\n.\r\n"},
    {"A: b\n\n1\n2\n", 1, "A: b\r\n\r\n1\r\n.\r\n"},
    {"A: b\r\nC: d\r\n", 0, "A: b\r\nC: d\r\n.\r\n"},
    {"\r\nbody\r\n", 0, "\r\n.\r\n"},
};

static void feed_in_steps(const struct row *row, size_t step)
{
    struct pop3_content content;
    AUTO_BUF struct buf out;
    span_t message = span_of_text(row->message);
    buf_init(&out, 1000);
    pop3_content_init(&content, row->lines);
    for (size_t at = 0; at < message.len; at += step)
        pop3_content_feed(&content, span_slice(message, at, step), &out);
    pop3_content_end(&content, &out);
    if (!span_equal(buf_span(&out), span_of_text(row->sent)))
        fail_msg("%s in steps of %zu: %.*s", row->message, step, SPAN_PRINT(buf_span(&out)));
}

static void messages_are_sent_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t step = 1; step < 20; step++)
            feed_in_steps(&rows[i], step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages_are_sent_however_they_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
