#include "role/store/segment.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "role/store/crc.h"

#define SEGMENT_MAGIC 0x4C535757U /* "WWSL" */
#define RECORD_MAGIC 0x43525757U  /* "WWRC" */
#define FORMAT_VERSION 1U

/* Offsets in a segment's head block. */
#define SEGMENT_AT_VERSION 4
#define SEGMENT_AT_NUMBER 8
#define SEGMENT_AT_SALT 16
#define SEGMENT_AT_CHECKSUM 32

/* Offsets in a record's head. */
#define AT_VERSION 4
#define AT_RECIPIENTS 8
#define AT_BEFORE 12
#define AT_BODY_LENGTH 16
#define AT_RECORD 24
#define AT_ARRIVAL 32
#define AT_BODY_CHECKSUM 40
#define AT_NONCE 44
#define AT_ZERO 56
#define AT_CHECKSUM 60

static uint32_t checksum_of_segment(const uint8_t *block)
{
    uint32_t crc = crc32c(0, span_of(block, SEGMENT_AT_CHECKSUM));
    return crc32c(crc, span_of(block + SEGMENT_AT_CHECKSUM + 4, SEGMENT_BLOCK - SEGMENT_AT_CHECKSUM - 4));
}

void segment_head_write(struct segment_head *head, uint8_t block[SEGMENT_BLOCK])
{
    memset(block, 0, SEGMENT_BLOCK);
    bytes_put_u32(block, SEGMENT_MAGIC);
    bytes_put_u32(block + SEGMENT_AT_VERSION, FORMAT_VERSION);
    bytes_put_u64(block + SEGMENT_AT_NUMBER, head->number);
    memcpy(block + SEGMENT_AT_SALT, head->salt, SEGMENT_SALT_SIZE);
    head->checksum = checksum_of_segment(block);
    bytes_put_u32(block + SEGMENT_AT_CHECKSUM, head->checksum);
}

int segment_head_read(span_t block, uint64_t number, struct segment_head *ret_head)
{
    if (block.len < SEGMENT_BLOCK || bytes_get_u32(block.at) != SEGMENT_MAGIC ||
        bytes_get_u32(block.at + SEGMENT_AT_VERSION) != FORMAT_VERSION ||
        bytes_get_u64(block.at + SEGMENT_AT_NUMBER) != number)
        return SEGMENT_INVALID;
    uint32_t checksum = bytes_get_u32(block.at + SEGMENT_AT_CHECKSUM);
    if (checksum != checksum_of_segment(block.at))
        return SEGMENT_INVALID;
    ret_head->number = number;
    ret_head->checksum = checksum;
    memcpy(ret_head->salt, block.at + SEGMENT_AT_SALT, SEGMENT_SALT_SIZE);
    return 0;
}

uint64_t record_id(uint64_t segment, uint64_t offset)
{
    assert(offset % SEGMENT_ALIGN == 0 && offset / SEGMENT_ALIGN <= UINT32_MAX && segment <= UINT32_MAX);
    return segment << 32 | offset / SEGMENT_ALIGN;
}

uint64_t record_segment(uint64_t record)
{
    return record >> 32;
}

uint64_t record_offset(uint64_t record)
{
    return (record & UINT32_MAX) * SEGMENT_ALIGN;
}

uint64_t record_marks_at(uint32_t recipients)
{
    return RECORD_FIXED + (uint64_t)recipients * RECORD_ROW + AEAD_TAG_SIZE;
}

size_t record_head_len(uint32_t recipients)
{
    return (size_t)record_marks_at(recipients) + recipients;
}

uint64_t record_len(const struct record_head *head)
{
    uint64_t len = record_head_len(head->recipients) + head->body_length;
    return (len + SEGMENT_ALIGN - 1) / SEGMENT_ALIGN * SEGMENT_ALIGN;
}

static uint32_t checksum_of_record(const uint8_t *bytes, uint32_t recipients)
{
    uint32_t crc = crc32c(0, span_of(bytes, AT_CHECKSUM));
    return crc32c(crc, span_of(bytes + RECORD_FIXED, (size_t)record_marks_at(recipients) - RECORD_FIXED));
}

int record_head_write(struct record_head *head, const uint8_t *rows, struct aead *aead, uint8_t *into)
{
    assert(head->recipients >= 1 && head->recipients <= RECORD_RECIPIENTS_MAX && head->body_length <= RECORD_BODY_MAX);
    size_t rows_len = (size_t)head->recipients * RECORD_ROW;
    bytes_put_u32(into, RECORD_MAGIC);
    bytes_put_u32(into + AT_VERSION, FORMAT_VERSION);
    bytes_put_u32(into + AT_RECIPIENTS, head->recipients);
    bytes_put_u32(into + AT_BEFORE, head->before);
    bytes_put_u64(into + AT_BODY_LENGTH, head->body_length);
    bytes_put_u64(into + AT_RECORD, head->record);
    bytes_put_u64(into + AT_ARRIVAL, head->arrival);
    bytes_put_u32(into + AT_BODY_CHECKSUM, head->body_checksum);
    memcpy(into + AT_NONCE, head->nonce, AEAD_NONCE_SIZE);
    bytes_put_u32(into + AT_ZERO, 0);
    int result = aead_seal(aead, head->nonce, span_of(into, AT_CHECKSUM), span_of(rows, rows_len), into + RECORD_FIXED,
                           into + RECORD_FIXED + rows_len);
    if (result != 0)
        return result;
    memset(into + record_marks_at(head->recipients), 0, head->recipients);
    head->checksum = checksum_of_record(into, head->recipients);
    bytes_put_u32(into + AT_CHECKSUM, head->checksum);
    return 0;
}

int record_head_read(span_t bytes, struct record_head *ret_head)
{
    if (bytes.len < RECORD_FIXED || bytes_get_u32(bytes.at) != RECORD_MAGIC ||
        bytes_get_u32(bytes.at + AT_VERSION) != FORMAT_VERSION || bytes_get_u32(bytes.at + AT_ZERO) != 0)
        return SEGMENT_INVALID;
    struct record_head head = {
        .recipients = bytes_get_u32(bytes.at + AT_RECIPIENTS),
        .before = bytes_get_u32(bytes.at + AT_BEFORE),
        .body_length = bytes_get_u64(bytes.at + AT_BODY_LENGTH),
        .record = bytes_get_u64(bytes.at + AT_RECORD),
        .arrival = bytes_get_u64(bytes.at + AT_ARRIVAL),
        .body_checksum = bytes_get_u32(bytes.at + AT_BODY_CHECKSUM),
        .checksum = bytes_get_u32(bytes.at + AT_CHECKSUM),
    };
    memcpy(head.nonce, bytes.at + AT_NONCE, AEAD_NONCE_SIZE);
    if (head.recipients == 0 || head.recipients > RECORD_RECIPIENTS_MAX || head.body_length > RECORD_BODY_MAX)
        return SEGMENT_INVALID;
    *ret_head = head;
    return 0;
}

int record_head_open(const struct record_head *head, span_t bytes, struct aead *aead, uint8_t *rows)
{
    if (bytes.len < record_head_len(head->recipients) ||
        checksum_of_record(bytes.at, head->recipients) != head->checksum)
        return SEGMENT_INVALID;
    size_t rows_len = (size_t)head->recipients * RECORD_ROW;
    span_t sealed = span_of(bytes.at + RECORD_FIXED, rows_len);
    int result = aead_open(aead, head->nonce, span_of(bytes.at, AT_CHECKSUM), sealed, sealed.at + rows_len, rows);
    if (result < 0)
        return result;
    return result == AEAD_OK ? 0 : SEGMENT_INVALID;
}

void record_row_read(const uint8_t *rows, size_t index, struct record_row *ret_row)
{
    const uint8_t *row = rows + index * RECORD_ROW;
    ret_row->account = bytes_get_u64(row);
    ret_row->before = bytes_get_u64(row + 8);
    memcpy(ret_row->key, row + 16, RECORD_KEY_SIZE);
}
