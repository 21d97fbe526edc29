#include "base/span.h"

#include <errno.h>
#include <string.h>

span_t span_of(const void *at, size_t len)
{
    return (span_t){at, len};
}

span_t span_of_text(const char *text)
{
    return text == NULL ? SPAN_NONE : span_of(text, strlen(text));
}

bool span_equal(span_t one, span_t other)
{
    return one.len == other.len && (one.len == 0 || memcmp(one.at, other.at, one.len) == 0);
}

bool span_equal_nocase(span_t one, span_t other)
{
    return one.len == other.len && span_starts_nocase(one, other);
}

int span_compare(span_t one, span_t other)
{
    size_t shared = one.len < other.len ? one.len : other.len;
    int order = shared == 0 ? 0 : memcmp(one.at, other.at, shared);
    if (order != 0)
        return order;
    return (one.len > other.len) - (one.len < other.len);
}

bool span_starts(span_t span, span_t prefix)
{
    return span.len >= prefix.len && span_equal(span_upto(span, prefix.len), prefix);
}

bool span_starts_nocase(span_t span, span_t prefix)
{
    if (span.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        if (ascii_lower(span.at[i]) != ascii_lower(prefix.at[i]))
            return false;
    }
    return true;
}

bool span_ends(span_t span, span_t suffix)
{
    return span.len >= suffix.len && span_equal(span_from(span, span.len - suffix.len), suffix);
}

size_t span_find_byte(span_t span, uint8_t byte)
{
    const uint8_t *found = span.len == 0 ? NULL : memchr(span.at, byte, span.len);
    return found == NULL ? span.len : (size_t)(found - span.at);
}

size_t span_find_last_byte(span_t span, uint8_t byte)
{
    const uint8_t *found = span.len == 0 ? NULL : memrchr(span.at, byte, span.len);
    return found == NULL ? span.len : (size_t)(found - span.at);
}

size_t span_find(span_t span, span_t needle)
{
    if (needle.len == 0)
        return 0;
    const uint8_t *found = span.len == 0 ? NULL : memmem(span.at, span.len, needle.at, needle.len);
    return found == NULL ? span.len : (size_t)(found - span.at);
}

size_t span_find_nocase(span_t span, span_t needle)
{
    for (size_t i = 0; i + needle.len <= span.len; i++) {
        if (span_starts_nocase(span_from(span, i), needle))
            return i;
    }
    return span.len;
}

span_t span_from(span_t span, size_t offset)
{
    if (offset >= span.len)
        return (span_t){span.at == NULL ? NULL : span.at + span.len, 0};
    return (span_t){span.at + offset, span.len - offset};
}

span_t span_upto(span_t span, size_t len)
{
    return (span_t){span.at, len < span.len ? len : span.len};
}

span_t span_slice(span_t span, size_t offset, size_t len)
{
    return span_upto(span_from(span, offset), len);
}

static bool is_blank(uint8_t byte)
{
    return ascii_is_space(byte) || byte == '\r' || byte == '\n';
}

span_t span_trim(span_t span)
{
    while (span.len > 0 && is_blank(span.at[0]))
        span = span_from(span, 1);
    while (span.len > 0 && is_blank(span.at[span.len - 1]))
        span.len--;
    return span;
}

bool span_cut(span_t *rest, uint8_t separator, span_t *ret_piece)
{
    if (rest->at == NULL)
        return false;
    size_t at = span_find_byte(*rest, separator);
    *ret_piece = span_upto(*rest, at);
    *rest = at == rest->len ? SPAN_NONE : span_from(*rest, at + 1);
    return true;
}

int span_to_u64(span_t span, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (span.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < span.len; i++) {
        if (!ascii_is_digit(span.at[i]))
            return -EINVAL;
        uint64_t digit = (uint64_t)(span.at[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        value = value * 10 + digit;
    }
    if (value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

bool ascii_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

bool ascii_is_alpha(uint8_t byte)
{
    return ascii_lower(byte) >= 'a' && ascii_lower(byte) <= 'z';
}

bool ascii_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool ascii_is_print(uint8_t byte)
{
    return byte >= 0x21 && byte <= 0x7e;
}

uint8_t ascii_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

uint8_t ascii_upper(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z' ? (uint8_t)(byte & 0xdf) : byte;
}

int ascii_hex_value(uint8_t byte)
{
    if (ascii_is_digit(byte))
        return byte - '0';
    byte = ascii_lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}
