#include <stdlib.h>

#include "proto/imap/command.h"
#include "proto/imap/mailbox.h"
#include "proto/imap/reader.h"
#include "proto/imap/url.h"

/* Byte 0 chooses the state and how the rest is cut into pieces; the rest is what a client sends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_urls(const struct imap_command *command, struct arena *arena)
{
    struct imap_url url;
    for (size_t i = 0; i < command->append.count; i++)
        for (size_t k = 0; k < command->append.messages[i].part_count; k++)
            if (command->append.messages[i].parts[k].is_url)
                (void)!imap_url_parse(command->append.messages[i].parts[k].bytes, arena, &url);
}

static void run_command(span_t bytes, enum imap_state state)
{
    AUTO(arena) struct arena *arena = NULL;
    struct imap_command command;
    const char *why = NULL;
    if (arena_new(1 << 20, &arena) < 0)
        return;
    int result = imap_command_parse(bytes, state, arena, &command, &why);
    if (result == IMAP_PARSE_OK && command.mailbox.at != NULL) {
        struct buf wire AUTO_BUF;
        buf_init(&wire, 1 << 16);
        imap_mailbox_encode(command.mailbox, &wire);
        (void)imap_mailbox_matches(span_upto(bytes, 64), command.mailbox);
    }
    if (result == IMAP_PARSE_OK && (command.verb == IMAP_APPEND || command.verb == IMAP_REPLACE))
        read_urls(&command, arena);
    if (result == IMAP_PARSE_OK && command.set.count > 0)
        imap_set_fix(&command.set, 1000);
}

static void take_commands(struct imap_reader *reader, struct buf *input, enum imap_state state)
{
    for (;;) {
        uint64_t len = 0;
        switch (imap_reader_next(reader, input, &len)) {
        case IMAP_READ_MORE:
            return;
        case IMAP_READ_COMMAND:
            if (len == 0 || len > buf_len(input))
                abort();
            run_command(span_upto(buf_span(input), (size_t)len), state);
            buf_consume(input, (size_t)len);
            break;
        case IMAP_READ_CONTINUE:
            break;
        case IMAP_READ_LITERAL_BIG:
        case IMAP_READ_COMMAND_BIG:
        case IMAP_READ_LINE_LONG:
            (void)imap_reader_tag(buf_span(input));
            imap_reader_refuse(reader, input);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum imap_state states[] = {IMAP_BEFORE_LOGIN, IMAP_AUTHENTICATED, IMAP_SELECTED, IMAP_SELECTED};
    struct imap_reader reader;
    struct buf input AUTO_BUF;
    buf_init(&input, 1 << 20);
    if (size == 0)
        return 0;
    imap_reader_init(&reader, 8192, 1024, 4096);
    size_t piece = 1 + (size_t)(data[0] >> 2);
    for (size_t at = 1; at < size; at += piece) {
        (void)buf_append(&input, span_slice(span_of(data, size), at, piece));
        take_commands(&reader, &input, states[data[0] & 3]);
    }
    return 0;
}
