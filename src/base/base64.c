#include "base/base64.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(span_t bytes, struct buf *text)
{
    uint8_t *out = NULL;
    size_t groups = bytes.len / 3 + (bytes.len % 3 != 0);
    if (groups > SIZE_MAX / 4)
        return -ENOBUFS;
    int result = buf_reserve(text, groups * 4, &out);
    if (result < 0)
        return result;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.at[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes.at[i + 2] : 0;
        *out++ = (uint8_t)alphabet[group >> 18];
        *out++ = (uint8_t)alphabet[group >> 12 & 63];
        *out++ = left > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=';
        *out++ = left > 2 ? (uint8_t)alphabet[group & 63] : '=';
    }
    buf_commit(text, groups * 4);
    return 0;
}

int base64_digit(uint8_t byte, uint8_t last)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (ascii_is_digit(byte))
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == last ? 63 : -1;
}

static int decode_group(const uint8_t *at, size_t digits, struct buf *bytes)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < digits ? base64_digit(at[i], '/') : 0;
        if (value < 0)
            return -EINVAL;
        group = group << 6 | (uint32_t)value;
    }
    uint8_t out[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
    if ((digits == 2 && (out[1] | out[2]) != 0) || (digits == 3 && out[2] != 0))
        return -EINVAL;
    return buf_append(bytes, span_of(out, digits - 1));
}

int base64_decode(span_t text, struct buf *bytes)
{
    if (text.len % 4 != 0)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t digits = 4;
        if (i + 4 == text.len)
            digits -= text.at[i + 3] == '=' ? 1U + (text.at[i + 2] == '=') : 0U;
        int result = decode_group(text.at + i, digits, bytes);
        if (result < 0)
            return result;
    }
    return 0;
}
