#include "proto/dns/name.h"

#include <errno.h>

#define POINTER 0xc0U
#define JUMPS_MAX 16U /* more than an honest answer needs; each must lead further back, so it ends anyway */

/* Walks over one name's labels, wherever they stand. */
struct walk {
    span_t message;
    span_t at; /* what is left where the walk is now */
    size_t len;
    size_t jumps;
    bool has_jumped;
    span_t after; /* behind the name where it began */
};

static int jump(struct walk *walk)
{
    if (walk->message.at == NULL || walk->at.len < 2 || ++walk->jumps > JUMPS_MAX)
        return -EBADMSG;
    const size_t target = (size_t)(walk->at.at[0] & 0x3fU) << 8 | walk->at.at[1];
    if (target >= (size_t)(walk->at.at - walk->message.at))
        return -EBADMSG;
    if (!walk->has_jumped)
        walk->after = span_from(walk->at, 2);
    walk->has_jumped = true;
    walk->at = span_from(walk->message, target);
    return 0;
}

/* The next label; empty at the end of the name. */
static int next_label(struct walk *walk, span_t *ret_label)
{
    while (walk->at.len > 0 && (walk->at.at[0] & POINTER) == POINTER) {
        const int result = jump(walk);
        if (result < 0)
            return result;
    }
    if (walk->at.len == 0 || walk->at.at[0] > DNS_LABEL_MAX || walk->at.at[0] >= walk->at.len)
        return -EBADMSG;
    const size_t len = walk->at.at[0];
    walk->len += len + 1;
    if (walk->len > DNS_NAME_WIRE_MAX)
        return -EBADMSG;
    *ret_label = span_slice(walk->at, 1, len);
    walk->at = span_from(walk->at, len + 1);
    return 0;
}

static struct walk walk_from(span_t message, span_t rest)
{
    return (struct walk){.message = message, .at = rest};
}

static span_t walk_end(const struct walk *walk)
{
    return walk->has_jumped ? walk->after : walk->at;
}

static bool has_meaning(uint8_t byte)
{
    return span_find_byte(SPAN(".\\\";()@$"), byte) < SPAN(".\\\";()@$").len;
}

static void write_label(struct buf *out, span_t label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!ascii_is_print(label.at[i])) {
            buf_append_format(out, "\\%03u", label.at[i]);
        } else {
            if (has_meaning(label.at[i]))
                buf_append_byte(out, '\\');
            buf_append_byte(out, label.at[i]);
        }
}

int dns_name_read(span_t message, span_t *rest, struct arena *arena, const char **ret_name)
{
    struct walk walk = walk_from(message, *rest);
    AUTO_BUF struct buf text;
    buf_init(&text, DNS_NAME_TEXT_MAX + 1);
    for (span_t label;;) {
        const int result = next_label(&walk, &label);
        if (result < 0)
            return result;
        if (label.len == 0)
            break;
        if (buf_len(&text) > 0)
            buf_append_byte(&text, '.');
        write_label(&text, label);
    }
    if (buf_fault(&text) < 0)
        return buf_fault(&text);
    const char *name = arena_text(arena, buf_span(&text));
    if (name == NULL)
        return -ENOMEM;
    *rest = walk_end(&walk);
    *ret_name = name;
    return 0;
}

int dns_name_expand(span_t message, span_t *rest, struct buf *out)
{
    struct walk walk = walk_from(message, *rest);
    const size_t start = buf_len(out);
    for (span_t label;;) {
        int result = next_label(&walk, &label);
        if (result == 0)
            result = buf_append_byte(out, (uint8_t)label.len);
        if (result == 0)
            result = buf_append(out, label);
        if (result < 0) {
            buf_truncate(out, start);
            return result;
        }
        if (label.len == 0)
            break;
    }
    *rest = walk_end(&walk);
    return 0;
}

/* One byte of a label as it stands in text. */
static int read_byte(span_t *text, uint8_t *ret_byte)
{
    const uint8_t first = text->at[0];
    *text = span_from(*text, 1);
    if (!ascii_is_print(first))
        return -EINVAL;
    *ret_byte = first;
    if (first != '\\')
        return 0;
    if (text->len == 0)
        return -EINVAL;
    if (!ascii_is_digit(text->at[0])) {
        *ret_byte = text->at[0];
        *text = span_from(*text, 1);
        return ascii_is_print(*ret_byte) ? 0 : -EINVAL;
    }
    uint64_t value = 0;
    if (text->len < 3 || span_to_u64(span_upto(*text, 3), UINT8_MAX, &value) < 0)
        return -EINVAL;
    *text = span_from(*text, 3);
    *ret_byte = (uint8_t)value;
    return 0;
}

static int read_label(span_t *text, uint8_t label[DNS_LABEL_MAX], size_t *ret_len)
{
    size_t len = 0;
    while (text->len > 0 && text->at[0] != '.') {
        uint8_t byte = 0;
        const int result = read_byte(text, &byte);
        if (result < 0 || len == DNS_LABEL_MAX)
            return -EINVAL;
        label[len++] = byte;
    }
    *text = span_from(*text, 1);
    *ret_len = len;
    return len > 0 ? 0 : -EINVAL;
}

int dns_name_write(struct buf *out, span_t text)
{
    const size_t start = buf_len(out);
    span_t rest = span_equal(text, SPAN(".")) ? SPAN_NONE : text;
    while (rest.len > 0) {
        uint8_t label[DNS_LABEL_MAX];
        size_t len = 0;
        if (read_label(&rest, label, &len) < 0 || buf_len(out) - start + len + 2 > DNS_NAME_WIRE_MAX) {
            buf_truncate(out, start);
            return -EINVAL;
        }
        buf_append_byte(out, (uint8_t)len);
        buf_append(out, span_of(label, len));
    }
    buf_append_byte(out, 0);
    return buf_fault(out);
}

static span_t without_last_dot(span_t text)
{
    if (!span_ends(text, SPAN(".")))
        return text;
    const span_t before = span_upto(text, text.len - 1);
    size_t slashes = 0;
    while (slashes < before.len && before.at[before.len - 1 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 0 ? before : text;
}

bool dns_name_equal(span_t one, span_t other)
{
    return span_equal_nocase(without_last_dot(one), without_last_dot(other));
}
