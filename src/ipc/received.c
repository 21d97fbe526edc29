#include "ipc/received.h"

#include <errno.h>

#include "base/bytes.h"

int received_row_write(const struct received_row *row, struct buf *rows)
{
    size_t len = 8;
    uint8_t *at = NULL;
    for (size_t i = 0; i < RECEIVED_TEXTS; i++) {
        if (row->texts[i].len > RECEIVED_TEXT_MAX)
            return -EINVAL;
        len += 1 + row->texts[i].len;
    }
    int result = buf_reserve(rows, len, &at);
    if (result != 0)
        return result;
    bytes_put_u64(at, row->count);
    buf_commit(rows, 8);
    for (size_t i = 0; i < RECEIVED_TEXTS; i++) {
        (void)buf_append_byte(rows, (uint8_t)row->texts[i].len); /* there is room */
        (void)buf_append(rows, row->texts[i]);
    }
    return 0;
}

bool received_row_next(span_t *rows, struct received_row *ret_row)
{
    struct received_row row;
    span_t rest = *rows;
    if (rest.len < 8)
        return false;
    row.count = bytes_get_u64(rest.at);
    rest = span_from(rest, 8);
    for (size_t i = 0; i < RECEIVED_TEXTS; i++) {
        if (rest.len == 0 || rest.at[0] > RECEIVED_TEXT_MAX || rest.len - 1 < rest.at[0])
            return false;
        row.texts[i] = span_slice(rest, 1, rest.at[0]);
        rest = span_from(rest, 1U + row.texts[i].len);
    }
    *rows = rest;
    *ret_row = row;
    return true;
}
