#include "trust/mailto.h"

#include <errno.h>

#include "base/percent.h"

int mailto_address(span_t uri, struct arena *arena, span_t *ret_address)
{
    span_t address = SPAN_NONE;
    int result = percent_decode(span_upto(uri, span_find_byte(uri, '?')), arena, &address);
    *ret_address = SPAN("");
    if (result < 0)
        return result == -EINVAL ? 0 : result;
    for (size_t at = 0; at < address.len; at++)
        if (address.at[at] <= ' ' || address.at[at] == 0x7f)
            return 0;
    if (span_find_byte(address, '@') < address.len)
        *ret_address = address;
    return 0;
}
