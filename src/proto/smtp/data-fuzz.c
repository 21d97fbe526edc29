#include <assert.h>

#include "proto/smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t feed(span_t input, size_t step, struct smtp_data *state, struct buf *out)
{
    size_t total = 0;
    int result = SMTP_DATA_MORE;
    smtp_data_init(state);
    while (result == SMTP_DATA_MORE && total < input.len) {
        size_t used = 0;
        result = smtp_data_feed(state, span_slice(input, total, step), out, &used);
        if (result < 0)
            return SIZE_MAX;
        total += used;
    }
    return total;
}

/* The first byte says how the rest is cut: that must make no difference. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf whole;
    AUTO_BUF struct buf parts;
    struct smtp_data one;
    struct smtp_data other;
    buf_init(&whole, size + 1);
    buf_init(&parts, size + 1);
    if (size < 1)
        return 0;
    span_t input = span_of(data + 1, size - 1);
    size_t used = feed(input, input.len + 1, &one, &whole);
    assert(used == feed(input, data[0] % 16U + 1U, &other, &parts));
    assert(one.bare_newline == other.bare_newline && one.size == other.size && one.state == other.state);
    assert(span_equal(buf_span(&whole), buf_span(&parts)));
    assert(one.state != SMTP_DATA_DONE || used == 3 || span_ends(span_upto(input, used), SPAN("\r\n.\r\n")));
    return 0;
}
