#include "mime/utf8.h"

#include <string.h>

int utf8_sequence_len(span_t bytes)
{
    uint8_t lead = bytes.at[0];
    if (lead < 0x80)
        return 1;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    for (size_t i = 1; i < len && i < bytes.len; i++) {
        uint8_t low = 0x80;
        uint8_t high = 0xbf;
        if (i == 1) { /* overlong forms, surrogates and what lies beyond U+10FFFF, RFC 3629 §4 */
            low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : low;
            high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : high;
        }
        if (bytes.at[i] < low || bytes.at[i] > high)
            return 0;
    }
    return bytes.len < len ? -1 : (int)len;
}

size_t ascii_len(span_t bytes)
{
    size_t len = 0;
    for (uint64_t word = 0; len + sizeof(word) <= bytes.len; len += sizeof(word)) {
        memcpy(&word, bytes.at + len, sizeof(word));
        if ((word & 0x8080808080808080U) != 0)
            break;
    }
    while (len < bytes.len && bytes.at[len] < 0x80)
        len++;
    return len;
}

size_t utf8_valid_len(span_t bytes)
{
    size_t len = 0;
    while (len < bytes.len) {
        len += ascii_len(span_from(bytes, len));
        if (len == bytes.len)
            break;
        int step = utf8_sequence_len(span_from(bytes, len));
        if (step <= 0)
            break;
        len += (size_t)step;
    }
    return len;
}

bool utf8_is_valid(span_t bytes)
{
    return utf8_valid_len(bytes) == bytes.len;
}

bool ascii_is_clean(span_t bytes)
{
    return ascii_len(bytes) == bytes.len;
}

uint32_t utf8_next(span_t *rest)
{
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    int len = utf8_sequence_len(*rest);
    uint32_t character = UTF8_REPLACEMENT;
    if (len > 0)
        character = rest->at[0] & lead_bits[len];
    for (int i = 1; i < len; i++)
        character = character << 6 | (rest->at[i] & 0x3fU);
    *rest = span_from(*rest, len > 0 ? (size_t)len : 1);
    return character;
}

int utf8_append(uint32_t character, struct buf *utf8)
{
    uint8_t out[4];
    size_t len = 0;
    if (character < 0x80) {
        out[len++] = (uint8_t)character;
    } else if (character < 0x800) {
        out[len++] = (uint8_t)(0xc0 | character >> 6);
        out[len++] = (uint8_t)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        out[len++] = (uint8_t)(0xe0 | character >> 12);
        out[len++] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        out[len++] = (uint8_t)(0x80 | (character & 0x3f));
    } else {
        out[len++] = (uint8_t)(0xf0 | character >> 18);
        out[len++] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
        out[len++] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        out[len++] = (uint8_t)(0x80 | (character & 0x3f));
    }
    return buf_append(utf8, span_of(out, len));
}
