#include <assert.h>

#include "proto/pop3/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(span_t line, enum pop3_state state)
{
    struct pop3_command command = {0};
    if (pop3_command_parse(line, state, &command) != POP3_PARSE_OK)
        return;
    assert(command.verb < POP3_VERB_COUNT);
    assert(command.text.len <= line.len && command.initial.len <= line.len);
    assert(command.initial.at == NULL || command.text.at != NULL);
    assert(command.has_number || command.number == 0);
    assert(state == POP3_TRANSACTION || !command.has_number);
}

/* The first byte says how the rest comes in: the lines that are found must be the same. */
static size_t read_all(span_t input, size_t step)
{
    struct pop3_reader reader = {.max = 40};
    AUTO_BUF struct buf buf;
    span_t line;
    size_t len = 0;
    size_t found = 0;
    buf_init(&buf, input.len + 1);
    for (size_t at = 0; at < input.len; at += step) {
        enum pop3_read read;
        if (buf_append(&buf, span_slice(input, at, step)) < 0)
            return SIZE_MAX;
        while ((read = pop3_reader_next(&reader, &buf, &line, &len)) != POP3_READ_MORE) {
            found = found * 31 + (read == POP3_READ_LINE ? line.len : 1000);
            if (read != POP3_READ_LINE)
                continue;
            assert(line.len <= 40 && len > line.len);
            check(line, POP3_AUTHORIZATION);
            check(line, POP3_TRANSACTION);
            buf_consume(&buf, len);
        }
        assert(buf_len(&buf) <= 41);
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    span_t input = span_of(data + 1, size - 1);
    assert(read_all(input, input.len + 1) == read_all(input, data[0] % 16U + 1U));
    return 0;
}
