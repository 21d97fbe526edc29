#include "ipc/tally.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static bool is_sound(const struct tally_row *row)
{
    return row->kind < TALLY_KIND_COUNT && row->count > 0 && row->domain.len > 0 &&
           row->domain.len <= TALLY_DOMAIN_MAX && memchr(row->domain.at, 0, row->domain.len) == NULL &&
           row->context.len <= TALLY_CONTEXT_MAX && row->what.len > 0 && row->what.len <= TALLY_WHAT_MAX;
}

int tally_row_write(const struct tally_row *row, struct buf *rows)
{
    uint8_t head[TALLY_FIXED];
    if (!is_sound(row))
        return -EINVAL;
    head[0] = (uint8_t)row->kind;
    bytes_put_u32(head + 1, row->day);
    bytes_put_u64(head + 5, row->count);
    bytes_put_u16(head + 13, (uint16_t)row->domain.len);
    bytes_put_u16(head + 15, (uint16_t)row->context.len);
    bytes_put_u16(head + 17, (uint16_t)row->what.len);
    if (rows->max - buf_len(rows) < sizeof(head) + row->domain.len + row->context.len + row->what.len)
        return -ENOBUFS;
    (void)buf_append(rows, span_of(head, sizeof(head)));
    (void)buf_append(rows, row->domain);
    (void)buf_append(rows, row->context);
    (void)buf_append(rows, row->what);
    return buf_fault(rows);
}

bool tally_row_next(span_t *rows, struct tally_row *ret_row)
{
    const uint8_t *at = rows->at;
    if (rows->len < TALLY_FIXED || at[0] >= TALLY_KIND_COUNT)
        return false;
    size_t domain = bytes_get_u16(at + 13);
    size_t context = bytes_get_u16(at + 15);
    size_t what = bytes_get_u16(at + 17);
    if (rows->len - TALLY_FIXED < domain + context + what)
        return false;
    struct tally_row row = {.kind = (enum tally_kind)at[0],
                            .day = bytes_get_u32(at + 1),
                            .count = bytes_get_u64(at + 5),
                            .domain = span_of(at + TALLY_FIXED, domain),
                            .context = span_of(at + TALLY_FIXED + domain, context),
                            .what = span_of(at + TALLY_FIXED + domain + context, what)};
    if (!is_sound(&row))
        return false;
    *rows = span_from(*rows, TALLY_FIXED + domain + context + what);
    *ret_row = row;
    return true;
}
