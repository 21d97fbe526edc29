#include "base/percent.h"

#include <errno.h>

int percent_decode(span_t text, struct arena *arena, span_t *ret_bytes)
{
    uint8_t *bytes = arena_alloc(arena, text.len + 1);
    if (bytes == NULL)
        return -ENOMEM;
    size_t len = 0;
    for (size_t at = 0; at < text.len; at++) {
        bytes[len] = text.at[at];
        if (text.at[at] == '%') {
            int high = at + 2 < text.len ? ascii_hex_value(text.at[at + 1]) : -1;
            int low = at + 2 < text.len ? ascii_hex_value(text.at[at + 2]) : -1;
            if (high < 0 || low < 0)
                return -EINVAL;
            bytes[len] = (uint8_t)(high << 4 | low);
            at += 2;
        }
        len++;
    }
    *ret_bytes = span_of(bytes, len);
    return 0;
}
