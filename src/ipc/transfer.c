#include "ipc/transfer.h"

#include <errno.h>

#include "base/bytes.h"

/* Members in the order they have on the wire. */
enum member { NUMBERS = 1, TEXTS = 2, ORIGIN = 4, BYTES = 8 };

static const unsigned members[TRANSFER_KINDS] = {
    [TRANSFER_ASK] = BYTES,
    [TRANSFER_KNOWN] = BYTES,
    [TRANSFER_FOLDER] = NUMBERS | TEXTS,
    [TRANSFER_HEAD] = NUMBERS | TEXTS | ORIGIN,
    [TRANSFER_DATA] = BYTES,
    [TRANSFER_SYNC] = 0,
    [TRANSFER_DONE] = NUMBERS,
    [TRANSFER_LOST] = NUMBERS | TEXTS,
    [TRANSFER_END] = 0,
    [TRANSFER_FLAGS] = TEXTS | ORIGIN,
};

#define NUMBERS_SIZE 24U
#define TEXTS_SIZE 4U

static void put_numbers(struct buf *into, const struct transfer *transfer)
{
    uint8_t numbers[NUMBERS_SIZE];
    bytes_put_u64(numbers, transfer->size);
    bytes_put_u64(numbers + 8, transfer->id);
    bytes_put_u64(numbers + 16, (uint64_t)transfer->received);
    (void)buf_append(into, span_of(numbers, sizeof(numbers)));
}

static void put_texts(struct buf *into, const struct transfer *transfer)
{
    uint8_t lengths[TEXTS_SIZE];
    bytes_put_u16(lengths, (uint16_t)transfer->mailbox.len);
    bytes_put_u16(lengths + 2, (uint16_t)transfer->flags.len);
    (void)buf_append(into, span_of(lengths, sizeof(lengths)));
    (void)buf_append(into, transfer->mailbox);
    (void)buf_append(into, transfer->flags);
}

int transfer_write(struct buf *into, enum frame_kind kind, const struct transfer *transfer)
{
    AUTO_BUF struct buf payload;
    buf_init(&payload, FRAME_MAX);
    if (transfer->mailbox.len > TRANSFER_TEXT_MAX || transfer->flags.len > TRANSFER_TEXT_MAX)
        return -EMSGSIZE;
    (void)buf_append_byte(&payload, (uint8_t)transfer->kind);
    if ((members[transfer->kind] & NUMBERS) != 0)
        put_numbers(&payload, transfer);
    if ((members[transfer->kind] & TEXTS) != 0)
        put_texts(&payload, transfer);
    if ((members[transfer->kind] & ORIGIN) != 0)
        (void)buf_append(&payload, transfer->origin);
    if ((members[transfer->kind] & BYTES) != 0)
        (void)buf_append(&payload, transfer->bytes);
    int result = buf_fault(&payload);
    return result < 0 ? result == -ENOBUFS ? -EMSGSIZE : result : frame_write(into, kind, buf_span(&payload));
}

static int get_texts(span_t *rest, struct transfer *transfer)
{
    if (rest->len < TEXTS_SIZE)
        return -EBADMSG;
    size_t mailbox = bytes_get_u16(rest->at);
    size_t flags = bytes_get_u16(rest->at + 2);
    *rest = span_from(*rest, TEXTS_SIZE);
    if (mailbox > TRANSFER_TEXT_MAX || flags > TRANSFER_TEXT_MAX || mailbox + flags > rest->len)
        return -EBADMSG;
    transfer->mailbox = span_upto(*rest, mailbox);
    transfer->flags = span_slice(*rest, mailbox, flags);
    *rest = span_from(*rest, mailbox + flags);
    return 0;
}

static int get_members(span_t rest, struct transfer *transfer)
{
    unsigned has = members[transfer->kind];
    if ((has & NUMBERS) != 0) {
        if (rest.len < NUMBERS_SIZE)
            return -EBADMSG;
        transfer->size = bytes_get_u64(rest.at);
        transfer->id = bytes_get_u64(rest.at + 8);
        transfer->received = (int64_t)bytes_get_u64(rest.at + 16);
        rest = span_from(rest, NUMBERS_SIZE);
    }
    if ((has & TEXTS) != 0 && get_texts(&rest, transfer) < 0)
        return -EBADMSG;
    if ((has & ORIGIN) != 0) {
        if (rest.len != 0 && rest.len != TRANSFER_ORIGIN_SIZE)
            return -EBADMSG;
        transfer->origin = rest;
    } else if ((has & BYTES) != 0) {
        transfer->bytes = rest;
    } else if (rest.len != 0) {
        return -EBADMSG;
    }
    return 0;
}

int transfer_read(const struct frame *frame, struct transfer *ret_transfer)
{
    struct transfer transfer = {.size = 0};
    if ((frame->kind != FRAME_INPUT && frame->kind != FRAME_OUTPUT) || frame->bytes.len == 0)
        return -EBADMSG;
    uint8_t kind = frame->bytes.at[0];
    if (kind == 0 || kind >= TRANSFER_KINDS)
        return -EBADMSG;
    transfer.kind = (enum transfer_kind)kind;
    int result = get_members(span_from(frame->bytes, 1), &transfer);
    if (result == 0)
        *ret_transfer = transfer;
    return result;
}
