#include <assert.h>

#include "proto/pop3/command.h"
#include "proto/pop3/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_in_steps(span_t message, size_t step, uint64_t lines, struct buf *out)
{
    struct pop3_content content;
    pop3_content_init(&content, lines);
    for (size_t at = 0; at < message.len; at += step)
        pop3_content_feed(&content, span_slice(message, at, step), out);
    pop3_content_end(&content, out);
}

/* Every LF has its CR, no line but the last is a lone dot, and every other that starts with a dot has two. */
static void check_lines(span_t sent)
{
    assert(span_ends(sent, SPAN(".\r\n")));
    for (span_t rest = sent; rest.len > 0;) {
        size_t end = span_find_byte(rest, '\n');
        assert(end < rest.len && end > 0 && rest.at[end - 1] == '\r');
        assert(rest.at[0] != '.' || rest.at[1] == '.' || rest.len == 3);
        rest = span_from(rest, end + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf whole;
    AUTO_BUF struct buf parts;
    buf_init(&whole, 2 * size + 16);
    buf_init(&parts, 2 * size + 16);
    if (size < 2)
        return 0;
    span_t message = span_of(data + 2, size - 2);
    uint64_t lines = data[1] == 255 ? POP3_LINES_ALL : data[1];
    send_in_steps(message, message.len + 1, lines, &whole);
    send_in_steps(message, data[0] % 16U + 1U, lines, &parts);
    assert(buf_fault(&whole) == 0 && span_equal(buf_span(&whole), buf_span(&parts)));
    check_lines(buf_span(&whole));
    return 0;
}
