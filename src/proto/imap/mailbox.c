#include "proto/imap/mailbox.h"

#include <errno.h>

#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static size_t put_utf8(uint8_t *at, uint32_t rune)
{
    if (rune < 0x80) {
        at[0] = (uint8_t)rune;
        return 1;
    }
    if (rune < 0x800) {
        at[0] = (uint8_t)(0xc0 | (rune >> 6));
        at[1] = (uint8_t)(0x80 | (rune & 0x3f));
        return 2;
    }
    if (rune < 0x10000) {
        at[0] = (uint8_t)(0xe0 | (rune >> 12));
        at[1] = (uint8_t)(0x80 | ((rune >> 6) & 0x3f));
        at[2] = (uint8_t)(0x80 | (rune & 0x3f));
        return 3;
    }
    at[0] = (uint8_t)(0xf0 | (rune >> 18));
    at[1] = (uint8_t)(0x80 | ((rune >> 12) & 0x3f));
    at[2] = (uint8_t)(0x80 | ((rune >> 6) & 0x3f));
    at[3] = (uint8_t)(0x80 | (rune & 0x3f));
    return 4;
}

/* The next code point of valid UTF-8; 0 bytes where it is not (RFC 3629 §4). */
static size_t take_utf8(span_t rest, uint32_t *ret_rune)
{
    uint8_t first = rest.at[0];
    size_t len = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 4;
    if (first >= 0x80 && (first < 0xc2 || first > 0xf4))
        return 0;
    if (rest.len < len)
        return 0;
    uint32_t rune = len == 1 ? first : first & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((rest.at[i] & 0xc0) != 0x80)
            return 0;
        rune = rune << 6 | (rest.at[i] & 0x3f);
    }
    bool overlong = (len == 3 && rune < 0x800) || (len == 4 && rune < 0x10000);
    if (overlong || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        return 0;
    *ret_rune = rune;
    return len;
}

/* What stands between "&" and "-": UTF-16BE in base64 without padding. Printable ASCII in it is refused
 * (RFC 3501 §5.1.3), so that a name has just one form. */
static int decode_shifted(span_t text, uint8_t *out, size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    uint32_t high = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_digit(text.at[i], ',');
        if (value < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held < 16)
            continue;
        held -= 16;
        uint32_t unit = bits >> held & 0xffff;
        if (high != 0) {
            if (unit < 0xdc00 || unit > 0xdfff)
                return -EINVAL;
            len += put_utf8(out + len, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
            high = 0;
        } else if (unit >= 0xd800 && unit < 0xdc00) {
            high = unit;
        } else if ((unit >= 0xdc00 && unit < 0xe000) || (unit >= 0x20 && unit < 0x7f)) {
            return -EINVAL;
        } else {
            len += put_utf8(out + len, unit);
        }
    }
    if (high != 0 || held >= 6 || (bits & ((1U << held) - 1)) != 0)
        return -EINVAL;
    *ret_len = len;
    return 0;
}

/* RFC 3501 §5.1: INBOX is case-insensitive. */
static void fold_inbox(uint8_t *name, size_t len)
{
    static const char inbox[] = "INBOX";
    if (len < 5 || (len > 5 && name[5] != IMAP_SEPARATOR))
        return;
    if (!span_equal_nocase(span_of(name, 5), SPAN("INBOX")))
        return;
    for (int i = 0; i < 5; i++)
        name[i] = (uint8_t)inbox[i];
}

int imap_mailbox_decode(span_t wire, struct arena *arena, span_t *ret_utf8)
{
    if (wire.len > 8 * IMAP_MAILBOX_MAX)
        return -EINVAL;
    /* 16 digits of base64 hold six code units, at most 18 bytes of UTF-8. */
    uint8_t *out = arena_alloc(arena, 2 * wire.len + 4);
    if (out == NULL)
        return -ENOMEM;
    size_t len = 0;
    for (size_t at = 0; at < wire.len;) {
        if (wire.at[at] != '&') {
            out[len++] = wire.at[at++];
            continue;
        }
        span_t shifted = span_from(wire, at + 1);
        size_t end = span_find_byte(shifted, '-');
        if (end == shifted.len)
            return -EINVAL;
        size_t added = 1;
        if (end == 0)
            out[len] = '&';
        else if (decode_shifted(span_upto(shifted, end), out + len, &added) < 0)
            return -EINVAL;
        len += added;
        at += end + 2;
    }
    fold_inbox(out, len);
    *ret_utf8 = span_of(out, len);
    return 0;
}

int imap_mailbox_decode_utf8(span_t wire, struct arena *arena, span_t *ret_utf8)
{
    if (wire.len > 8 * IMAP_MAILBOX_MAX)
        return -EINVAL;
    uint8_t *out = arena_alloc(arena, wire.len + 1);
    if (out == NULL)
        return -ENOMEM;
    for (size_t at = 0; at < wire.len;) {
        uint32_t rune = 0;
        size_t len = take_utf8(span_from(wire, at), &rune);
        if (len == 0)
            return -EINVAL;
        for (size_t end = at + len; at < end; at++)
            out[at] = wire.at[at];
    }
    fold_inbox(out, wire.len);
    *ret_utf8 = span_of(out, wire.len);
    return 0;
}

struct shift {
    struct buf *out;
    uint32_t bits;
    unsigned held;
    bool on;
};

static void put_unit(struct shift *shift, uint32_t unit)
{
    if (!shift->on)
        buf_append_byte(shift->out, '&');
    shift->on = true;
    shift->bits = shift->bits << 16 | unit;
    shift->held += 16;
    while (shift->held >= 6) {
        shift->held -= 6;
        buf_append_byte(shift->out, (uint8_t)alphabet[shift->bits >> shift->held & 0x3f]);
    }
    shift->bits &= (1U << shift->held) - 1;
}

static void unshift(struct shift *shift)
{
    if (!shift->on)
        return;
    if (shift->held > 0)
        buf_append_byte(shift->out, (uint8_t)alphabet[shift->bits << (6 - shift->held) & 0x3f]);
    buf_append_byte(shift->out, '-');
    *shift = (struct shift){.out = shift->out};
}

void imap_mailbox_encode(span_t utf8, struct buf *out)
{
    struct shift shift = {.out = out};
    while (utf8.len > 0) {
        uint32_t rune = 0;
        size_t len = take_utf8(utf8, &rune);
        if (len == 0) {
            len = 1;
            rune = 0xfffd;
        }
        utf8 = span_from(utf8, len);
        if (rune >= 0x20 && rune < 0x7f) {
            unshift(&shift);
            buf_append_byte(out, (uint8_t)rune);
            if (rune == '&')
                buf_append_byte(out, '-');
        } else if (rune < 0x10000) {
            put_unit(&shift, rune);
        } else {
            put_unit(&shift, 0xd800 + ((rune - 0x10000) >> 10));
            put_unit(&shift, 0xdc00 + ((rune - 0x10000) & 0x3ff));
        }
    }
    unshift(&shift);
}

bool imap_mailbox_is_valid(span_t utf8)
{
    if (utf8.len == 0 || utf8.len > IMAP_MAILBOX_MAX)
        return false;
    bool level_empty = true;
    while (utf8.len > 0) {
        uint32_t rune = 0;
        size_t len = take_utf8(utf8, &rune);
        if (len == 0 || rune < 0x20 || (rune >= 0x7f && rune < 0xa0) || rune == '*' || rune == '%')
            return false;
        if (rune == IMAP_SEPARATOR && level_empty)
            return false;
        level_empty = rune == IMAP_SEPARATOR;
        utf8 = span_from(utf8, len);
    }
    return !level_empty;
}

/* Remembers the last wildcard of each kind and goes back to it: linear for each, no recursion. */
static bool matches(span_t pattern, span_t name)
{
    size_t p = 0;
    size_t n = 0;
    size_t star_p = SIZE_MAX, star_n = 0;
    size_t level_p = SIZE_MAX, level_n = 0;
    for (;;) {
        if (p < pattern.len && pattern.at[p] == '*') {
            star_p = ++p;
            star_n = n;
            level_p = SIZE_MAX;
        } else if (p < pattern.len && pattern.at[p] == '%') {
            level_p = ++p;
            level_n = n;
        } else if (p < pattern.len && n < name.len && pattern.at[p] == name.at[n]) {
            p++;
            n++;
        } else if (p == pattern.len && n == name.len) {
            return true;
        } else if (level_p != SIZE_MAX && level_n < name.len && name.at[level_n] != IMAP_SEPARATOR) {
            p = level_p;
            n = ++level_n;
        } else if (star_p != SIZE_MAX && star_n < name.len) {
            p = star_p;
            n = ++star_n;
            level_p = SIZE_MAX;
        } else {
            return false;
        }
    }
}

bool imap_mailbox_matches(span_t pattern, span_t utf8)
{
    if (matches(pattern, utf8))
        return true;
    if (!span_equal(utf8, SPAN("INBOX")))
        return false;
    uint8_t lower[5];
    if (pattern.len > 64)
        return false;
    uint8_t folded[64];
    for (size_t i = 0; i < pattern.len; i++)
        folded[i] = ascii_lower(pattern.at[i]);
    for (size_t i = 0; i < 5; i++)
        lower[i] = ascii_lower(utf8.at[i]);
    return matches(span_of(folded, pattern.len), span_of(lower, 5));
}
