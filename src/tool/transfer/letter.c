#include "tool/transfer/letter.h"

#include <sodium.h>

#include "base/bytes.h"

int letter_from_file(span_t file, struct buf *message)
{
    if (span_find(file, SPAN("\r\n")) < file.len)
        return buf_append(message, file);
    while (file.len > 0) {
        size_t line = span_find_byte(file, '\n');
        (void)buf_append(message, span_upto(file, line));
        if (line < file.len)
            (void)buf_append(message, SPAN("\r\n"));
        file = span_from(file, line + 1);
    }
    return buf_fault(message);
}

/* Does every CR stand before an LF, and every LF behind a CR? */
static bool has_crlf_alone(span_t message)
{
    bool after_cr = false;
    for (size_t i = 0; i < message.len; i++) {
        if ((message.at[i] == '\n') != after_cr)
            return false;
        after_cr = message.at[i] == '\r';
    }
    return !after_cr;
}

int letter_to_file(span_t message, struct buf *file)
{
    if (!has_crlf_alone(message))
        return buf_append(file, message);
    while (message.len > 0) {
        size_t line = span_find_byte(message, '\r');
        (void)buf_append(file, span_upto(message, line));
        if (line < message.len)
            (void)buf_append_byte(file, '\n');
        message = span_from(message, line + 2);
    }
    return buf_fault(file);
}

static void add_part(crypto_generichash_state *state, span_t part)
{
    uint8_t length[8];
    bytes_put_u64(length, part.len);
    (void)crypto_generichash_update(state, length, sizeof(length));
    (void)crypto_generichash_update(state, part.at, part.len);
}

void letter_origin_named(span_t source, span_t mailbox, span_t name, uint8_t ret_origin[TRANSFER_ORIGIN_SIZE])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, TRANSFER_ORIGIN_SIZE);
    add_part(&state, source);
    add_part(&state, mailbox);
    add_part(&state, name);
    (void)crypto_generichash_final(&state, ret_origin, TRANSFER_ORIGIN_SIZE);
}

/* The map holds the counts themselves, as pointers that are never followed. */
int letter_origin(struct map *counts, span_t mailbox, span_t message, uint8_t ret_origin[TRANSFER_ORIGIN_SIZE])
{
    uint8_t number[8];
    letter_origin_named(SPAN("bytes"), mailbox, message, ret_origin);
    uint64_t key = bytes_get_u64(ret_origin);
    uintptr_t count = (uintptr_t)map_get(counts, key) + 1;
    int result = map_put(counts, key, (void *)count);
    if (result < 0 || count == 1)
        return result;
    bytes_put_u64(number, count);
    letter_origin_named(span_of(ret_origin, TRANSFER_ORIGIN_SIZE), mailbox, span_of(number, sizeof(number)),
                        ret_origin);
    return 0;
}
