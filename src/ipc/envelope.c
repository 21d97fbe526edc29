#include "ipc/envelope.h"

#include <errno.h>

#include "base/bytes.h"

#define ROW_FIXED 5U

int envelope_write(const struct envelope *envelope, struct buf *bytes)
{
    size_t len = ENVELOPE_FIXED + envelope->sender.len + envelope->envid.len + envelope->rows.len;
    if (len > ENVELOPE_MAX || envelope->sender.len > UINT16_MAX || envelope->envid.len > UINT16_MAX)
        return -EINVAL;
    uint8_t fixed[ENVELOPE_FIXED] = {ENVELOPE_VERSION};
    bytes_put_u32(fixed + 1, (uint32_t)len);
    bytes_put_u32(fixed + 5, envelope->flags);
    bytes_put_u64(fixed + 9, envelope->account);
    bytes_put_u64(fixed + 17, (uint64_t)envelope->hold_until);
    bytes_put_u16(fixed + 25, (uint16_t)envelope->sender.len);
    bytes_put_u16(fixed + 27, (uint16_t)envelope->envid.len);
    buf_append(bytes, span_of(fixed, sizeof(fixed)));
    buf_append(bytes, envelope->sender);
    buf_append(bytes, envelope->envid);
    buf_append(bytes, envelope->rows);
    return buf_fault(bytes);
}

size_t envelope_len(span_t bytes)
{
    if (bytes.len < ENVELOPE_FIXED || bytes.at[0] != ENVELOPE_VERSION)
        return 0;
    size_t len = bytes_get_u32(bytes.at + 1);
    return len < ENVELOPE_FIXED || len > ENVELOPE_MAX ? 0 : len;
}

int envelope_read(span_t bytes, struct envelope *ret_envelope)
{
    size_t len = envelope_len(bytes);
    if (len == 0 || len > bytes.len)
        return -EBADMSG;
    size_t sender_len = bytes_get_u16(bytes.at + 25);
    size_t envid_len = bytes_get_u16(bytes.at + 27);
    if (ENVELOPE_FIXED + sender_len + envid_len > len)
        return -EBADMSG;
    struct envelope envelope = {
        .flags = bytes_get_u32(bytes.at + 5),
        .account = bytes_get_u64(bytes.at + 9),
        .hold_until = (int64_t)bytes_get_u64(bytes.at + 17),
        .sender = span_slice(bytes, ENVELOPE_FIXED, sender_len),
        .envid = span_slice(bytes, ENVELOPE_FIXED + sender_len, envid_len),
        .rows = span_from(span_upto(bytes, len), ENVELOPE_FIXED + sender_len + envid_len),
    };
    if (!envelope_rows_are_sound(envelope.rows))
        return -EBADMSG;
    *ret_envelope = envelope;
    return 0;
}

int envelope_recipient_write(const struct envelope_recipient *recipient, struct buf *rows)
{
    if (recipient->address.len == 0 || recipient->address.len > UINT16_MAX || recipient->orcpt.len > UINT16_MAX)
        return -EINVAL;
    uint8_t fixed[ROW_FIXED] = {recipient->notify};
    size_t before = buf_len(rows);
    bytes_put_u16(fixed + 1, (uint16_t)recipient->address.len);
    bytes_put_u16(fixed + 3, (uint16_t)recipient->orcpt.len);
    int result = buf_append(rows, span_of(fixed, sizeof(fixed)));
    if (result == 0)
        result = buf_append(rows, recipient->address);
    if (result == 0)
        result = buf_append(rows, recipient->orcpt);
    if (result != 0)
        buf_truncate(rows, before);
    return result;
}

bool envelope_recipient_next(span_t *rows, struct envelope_recipient *ret_recipient)
{
    if (rows->len < ROW_FIXED)
        return false;
    size_t address_len = bytes_get_u16(rows->at + 1);
    size_t orcpt_len = bytes_get_u16(rows->at + 3);
    if (address_len == 0 || ROW_FIXED + address_len + orcpt_len > rows->len)
        return false;
    *ret_recipient = (struct envelope_recipient){
        .notify = rows->at[0],
        .address = span_slice(*rows, ROW_FIXED, address_len),
        .orcpt = span_slice(*rows, ROW_FIXED + address_len, orcpt_len),
    };
    *rows = span_from(*rows, ROW_FIXED + address_len + orcpt_len);
    return true;
}

bool envelope_rows_are_sound(span_t rows)
{
    struct envelope_recipient recipient;
    if (rows.len == 0)
        return false;
    while (envelope_recipient_next(&rows, &recipient)) {
    }
    return rows.len == 0;
}

bool envelope_recipient_is_written_to(const struct envelope_recipient *recipient)
{
    return (recipient->notify & (ENVELOPE_LOCAL | ENVELOPE_FORWARD)) == 0;
}

size_t envelope_rows_leaving(span_t rows)
{
    size_t count = 0;
    for (struct envelope_recipient recipient; envelope_recipient_next(&rows, &recipient);)
        count += envelope_recipient_is_written_to(&recipient);
    return count;
}
