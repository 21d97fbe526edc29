#include "trust/dkim/canon.h"

/* Unfolded, each run of white space one space, none at the ends (RFC 6376 §3.4.2). */
static int relaxed(span_t field, struct buf *out)
{
    size_t colon = span_find_byte(field, ':');
    span_t name = span_trim(span_upto(field, colon));
    span_t value = span_trim(span_from(field, colon + 1));
    uint8_t *at = NULL;
    int result = buf_reserve(out, name.len + value.len + 3, &at);
    if (result != 0)
        return result;
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++)
        at[len++] = ascii_lower(name.at[i]);
    at[len++] = ':';
    bool space = false;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.at[i];
        if (ascii_is_space(byte)) {
            space = true;
        } else if (byte != '\r' && byte != '\n') {
            if (space)
                at[len++] = ' ';
            space = false;
            at[len++] = byte;
        }
    }
    at[len++] = '\r';
    at[len++] = '\n';
    buf_commit(out, len);
    return 0;
}

int dkim_canon_field(enum dkim_canon canon, span_t field, struct buf *out)
{
    return canon == DKIM_SIMPLE ? buf_append(out, field) : relaxed(field, out);
}
