#include "crypto/record-layout.h"

#include <string.h>

#include "base/bytes.h"

static unsigned bits_of(uint64_t value)
{
    return value == 0 ? 0 : 63U - (unsigned)__builtin_clzll(value);
}

uint64_t record_padded_len(uint64_t len)
{
    if (len <= RECORD_PLAIN_MIN)
        return RECORD_PLAIN_MIN;
    unsigned exponent = bits_of(len);
    unsigned kept = bits_of(exponent) + 1;
    uint64_t mask = (UINT64_C(1) << (exponent - kept)) - 1;
    return (len + mask) & ~mask;
}

uint64_t record_body_len(uint64_t padded)
{
    uint64_t chunks = (padded + RECORD_CHUNK - 1) / RECORD_CHUNK;
    return 1 + padded + chunks * AEAD_TAG_SIZE;
}

uint64_t record_plain_len(uint64_t body)
{
    if (body < 1 + RECORD_PLAIN_MIN + AEAD_TAG_SIZE || body > RECORD_MESSAGE_MAX * 2)
        return 0;
    uint64_t chunks = (body - 1 + RECORD_SEALED_CHUNK - 1) / RECORD_SEALED_CHUNK;
    uint64_t plain = body - 1 - chunks * AEAD_TAG_SIZE;
    return record_body_len(plain) == body ? plain : 0;
}

void record_nonce(uint64_t chunk, bool last, uint8_t ret_nonce[AEAD_NONCE_SIZE])
{
    bytes_put_u64(ret_nonce, chunk);
    bytes_put_u32(ret_nonce + 8, last ? 1 : 0);
}

int record_head_parse(span_t plain, uint64_t padded, struct record_meta *ret_meta, uint64_t *ret_start,
                      uint64_t *ret_message_len)
{
    if (plain.len < RECORD_HEAD_LEN)
        return RECORD_FORGED;
    uint64_t message_len = bytes_get_u64(plain.at);
    uint32_t meta_len = bytes_get_u32(plain.at + 8);
    span_t meta = span_slice(plain, RECORD_HEAD_LEN, meta_len);
    if (message_len > RECORD_MESSAGE_MAX || meta.len != meta_len || meta_len < RECORD_META_FIXED)
        return RECORD_FORGED;
    if (record_padded_len(RECORD_HEAD_LEN + meta_len + message_len) != padded)
        return RECORD_FORGED;
    size_t flags_len = bytes_get_u16(meta.at + 17);
    size_t path_len = bytes_get_u16(meta.at + 19);
    if (meta.at[0] < RECORD_DELIVERY || meta.at[0] > RECORD_POLICY)
        return RECORD_FORGED;
    if (RECORD_META_FIXED + flags_len + path_len != meta_len)
        return RECORD_FORGED;
    ret_meta->kind = (enum record_kind)meta.at[0];
    ret_meta->arrived = bytes_get_u64(meta.at + 1);
    ret_meta->mailbox = bytes_get_u64(meta.at + 9);
    ret_meta->flags = span_slice(meta, RECORD_META_FIXED, flags_len);
    ret_meta->return_path = span_slice(meta, RECORD_META_FIXED + flags_len, path_len);
    *ret_start = RECORD_HEAD_LEN + meta_len;
    *ret_message_len = message_len;
    return RECORD_OK;
}
