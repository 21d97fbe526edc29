#include "tool/transfer/level.h"

#include <errno.h>

#include "tool/transfer/tree.h"

static const span_t endings[] = {
    {(const uint8_t *)".mbox", 5}, {(const uint8_t *)".sbd", 4}, {(const uint8_t *)".eml", 4}};

/* How much of the name an ending is. */
static size_t ending_of(span_t name)
{
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (name.len > endings[i].len && span_ends(name, endings[i]))
            return endings[i].len;
    return 0;
}

int level_write(span_t level, struct buf *name)
{
    size_t before = buf_len(name);
    size_t ending = ending_of(level);
    for (size_t i = 0; i < level.len; i++) {
        uint8_t byte = level.at[i];
        bool is_special = byte == '%' || (byte == '.' && (i == 0 || i == level.len - ending));
        if (is_special)
            (void)buf_append_format(name, "%%%02x", byte);
        else
            (void)buf_append_byte(name, byte);
    }
    if (buf_fault(name) == -ENOBUFS || buf_len(name) - before > LEVEL_NAME_MAX)
        return -ENAMETOOLONG;
    return buf_fault(name);
}

static int digit_of(uint8_t byte)
{
    byte = ascii_lower(byte);
    return ascii_is_digit(byte) ? byte - '0' : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

int level_read(span_t name, struct buf *mailbox)
{
    size_t ending = ending_of(name);
    if (buf_len(mailbox) > 0)
        (void)buf_append_byte(mailbox, '/');
    for (size_t i = 0; i < name.len - ending; i++) {
        uint8_t byte = name.at[i];
        if (byte == '%' && i + 2 < name.len && digit_of(name.at[i + 1]) >= 0 && digit_of(name.at[i + 2]) >= 0) {
            byte = (uint8_t)(digit_of(name.at[i + 1]) * 16 + digit_of(name.at[i + 2]));
            i += 2;
        }
        (void)buf_append_byte(mailbox, byte == '/' ? '_' : byte);
    }
    return buf_fault(mailbox);
}

int level_make(int root, span_t mailbox, int *ret_fd, struct buf *name)
{
    AUTO_FD int at = -1;
    span_t level = SPAN_NONE;
    int result = tree_open(root, ".", &at);
    while (result == 0 && span_cut(&mailbox, '/', &level)) {
        AUTO_BUF struct buf text;
        int next = -1;
        buf_init(&text, LEVEL_NAME_MAX + 1);
        result = level_write(level, &text);
        if (result == 0 && mailbox.at == NULL)
            break;
        if (result == 0)
            result = buf_append_byte(&text, '\0');
        if (result == 0)
            result = tree_make(at, (const char *)buf_span(&text).at, &next);
        scope_close(&at);
        at = next;
    }
    if (result == 0)
        result = level_write(level, name);
    if (result == 0)
        *ret_fd = TAKE_FD(at);
    return result;
}
