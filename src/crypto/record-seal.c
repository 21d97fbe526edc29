#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/record-layout.h"
#include "crypto/record.h"

_Static_assert(RECORD_HEAD_LEN + RECORD_META_FIXED + RECORD_FLAGS_MAX + RECORD_PATH_MAX < RECORD_CHUNK,
               "the metadata is in the first chunk");

struct record_sealer {
    struct secret *key;
    struct aead *aead;
    struct buf head; /* what stands before the message */
    span_t message;
    uint64_t padded;
    uint64_t done; /* plain bytes sealed */
};

static int head_write(const struct record_meta *meta, uint64_t message_len, struct buf *head)
{
    if (meta->flags.len > RECORD_FLAGS_MAX || meta->return_path.len > RECORD_PATH_MAX ||
        message_len > RECORD_MESSAGE_MAX)
        return -EINVAL;
    uint8_t fixed[RECORD_HEAD_LEN + RECORD_META_FIXED];
    bytes_put_u64(fixed, message_len);
    bytes_put_u32(fixed + 8, (uint32_t)(RECORD_META_FIXED + meta->flags.len + meta->return_path.len));
    fixed[12] = (uint8_t)meta->kind;
    bytes_put_u64(fixed + 13, meta->arrived);
    bytes_put_u64(fixed + 21, meta->mailbox);
    bytes_put_u16(fixed + 29, (uint16_t)meta->flags.len);
    bytes_put_u16(fixed + 31, (uint16_t)meta->return_path.len);
    buf_append(head, span_of(fixed, sizeof(fixed)));
    buf_append(head, meta->flags);
    buf_append(head, meta->return_path);
    return buf_fault(head);
}

uint64_t record_sealed_len(const struct record_meta *meta, uint64_t message_len)
{
    uint64_t head = RECORD_HEAD_LEN + RECORD_META_FIXED + meta->flags.len + meta->return_path.len;
    return record_body_len(record_padded_len(head + message_len));
}

int record_sealer_new(const struct record_meta *meta, span_t message, struct record_sealer **ret_sealer)
{
    AUTO(record_sealer) struct record_sealer *sealer = mem_new(sizeof(*sealer));
    if (sealer == NULL)
        return -ENOMEM;
    buf_init(&sealer->head, RECORD_CHUNK);
    sealer->message = message;
    int result = head_write(meta, message.len, &sealer->head);
    if (result == 0)
        result = secret_new_random(RECORD_KEY_LEN, &sealer->key);
    if (result == 0)
        result = aead_new(secret_bytes(sealer->key), &sealer->aead);
    if (result != 0)
        return result;
    sealer->padded = record_padded_len(buf_len(&sealer->head) + message.len);
    *ret_sealer = TAKE(sealer);
    return 0;
}

void record_sealer_free(struct record_sealer *sealer)
{
    if (sealer == NULL)
        return;
    secret_wipe(sealer->head.bytes, sealer->head.end);
    buf_deinit(&sealer->head);
    aead_free(sealer->aead);
    secret_free(sealer->key);
    scope_free(&sealer);
}

const struct secret *record_sealer_key(const struct record_sealer *sealer)
{
    return sealer->key;
}

bool record_sealer_done(const struct record_sealer *sealer)
{
    return sealer->done == sealer->padded;
}

/* Plain bytes [sealer->done, + len), where they lie in the message; SPAN_NONE: they are not all from there. */
static span_t plain_find(const struct record_sealer *sealer, size_t len)
{
    uint64_t head = buf_len(&sealer->head);
    if (sealer->done < head || sealer->done - head + len > sealer->message.len)
        return SPAN_NONE;
    return span_slice(sealer->message, (size_t)(sealer->done - head), len);
}

/* Plain bytes [sealer->done, + len) to where they will be sealed in place. */
static void plain_write(const struct record_sealer *sealer, uint8_t *out, size_t len)
{
    uint64_t at = sealer->done;
    span_t head = span_from(buf_span(&sealer->head), at > SIZE_MAX ? SIZE_MAX : (size_t)at);
    head = span_upto(head, len);
    if (head.len > 0)
        memcpy(out, head.at, head.len);
    at += head.len - buf_len(&sealer->head);
    size_t left = len - head.len;
    span_t part = left == 0 ? SPAN_NONE : span_slice(sealer->message, (size_t)at, left);
    if (part.len > 0)
        memcpy(out + head.len, part.at, part.len);
    memset(out + head.len + part.len, 0, left - part.len);
}

int record_sealer_next(struct record_sealer *sealer, struct buf *sealed)
{
    if (record_sealer_done(sealer))
        return 0;
    uint64_t left = sealer->padded - sealer->done;
    size_t len = left < RECORD_CHUNK ? (size_t)left : RECORD_CHUNK;
    size_t version = sealer->done == 0 ? 1 : 0;
    uint8_t *at = NULL;
    int result = buf_reserve(sealed, version + len + AEAD_TAG_SIZE, &at);
    if (result != 0)
        return result;
    if (version == 1)
        *at++ = RECORD_VERSION;
    uint8_t nonce[AEAD_NONCE_SIZE];
    record_nonce(sealer->done / RECORD_CHUNK, left <= RECORD_CHUNK, nonce);
    span_t plain = plain_find(sealer, len);
    if (plain.at == NULL) {
        plain_write(sealer, at, len);
        plain = span_of(at, len);
    }
    static const uint8_t bound = RECORD_VERSION;
    result = aead_seal(sealer->aead, nonce, span_of(&bound, 1), plain, at, at + len);
    if (result != 0)
        return result;
    buf_commit(sealed, version + len + AEAD_TAG_SIZE);
    sealer->done += len;
    return 0;
}

int record_seal(const struct record_meta *meta, span_t message, struct buf *sealed, struct secret **ret_content_key)
{
    AUTO(record_sealer) struct record_sealer *sealer = NULL;
    uint8_t *room = NULL;
    int result = record_sealer_new(meta, message, &sealer);
    if (result == 0)
        result = buf_reserve(sealed, (size_t)record_body_len(sealer->padded), &room);
    while (result == 0 && !record_sealer_done(sealer))
        result = record_sealer_next(sealer, sealed);
    if (result == 0)
        *ret_content_key = TAKE(sealer->key);
    return result;
}
