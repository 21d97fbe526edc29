#include "trust/mailto.h"

#include <errno.h>

int mailto_address(span_t uri, struct arena *arena, span_t *ret_address)
{
    span_t raw = span_upto(uri, span_find_byte(uri, '?'));
    uint8_t *address = arena_alloc(arena, raw.len + 1);
    if (address == NULL)
        return -ENOMEM;
    size_t len = 0;
    *ret_address = SPAN("");
    for (size_t at = 0; at < raw.len; at++) {
        uint8_t byte = raw.at[at];
        if (byte == '%') {
            int high = at + 2 < raw.len ? ascii_hex_value(raw.at[at + 1]) : -1;
            int low = at + 2 < raw.len ? ascii_hex_value(raw.at[at + 2]) : -1;
            if (high < 0 || low < 0)
                return 0;
            byte = (uint8_t)(high << 4 | low);
            at += 2;
        }
        if (byte <= ' ' || byte == 0x7f)
            return 0;
        address[len++] = byte;
    }
    if (span_find_byte(span_of(address, len), '@') < len)
        *ret_address = span_of(address, len);
    return 0;
}
