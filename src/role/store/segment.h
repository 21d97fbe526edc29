#pragma once

#include "crypto/aead.h"
#include "ipc/row.h"

/*
 * What a segment file of the log holds, as bytes. Pure: no file, no clock. All numbers little-endian.
 *
 *   segment   head block (SEGMENT_BLOCK) | groups
 *   group     starts at a multiple of SEGMENT_BLOCK; records, each starting at a multiple of SEGMENT_ALIGN
 *   record    head | body, which is sealed already (crypto/record.h)
 *   head      magic 4 | version 4 | recipients 4 | checksum of the head before 4 | body length 8 | record 8 | arrival 8
 *             | checksum of the body 4 | nonce 12 | zero 4 | checksum of this head 4 | sealed rows | tag 16 | marks
 *   row       account 8 | the record that was the account's newest before, or 0: 8 | content key sealed to it 81
 *   marks     one byte for each recipient: 1 once it has released the record. Alone outside of all checksums, as they
 *             are written in place later.
 *
 * A record's id is its place: segment number in the upper half, offset / SEGMENT_ALIGN in the lower. So ids rise with
 * time, and need no index. Each head carries the checksum of the one before it (the first: that of the segment's
 * head), so that what is left of an older, torn group is never taken for a part of the log. Rows are encrypted: the
 * disk alone does not show whose a record is.
 */
#define SEGMENT_BLOCK 4096U
#define SEGMENT_ALIGN 64U
#define SEGMENT_SALT_SIZE 16U
#define RECORD_FIXED 64U
#define RECORD_ROW (16U + RECORD_KEY_SIZE)
#define RECORD_RECIPIENTS_MAX 1472U
#define RECORD_HEAD_MAX (RECORD_FIXED + RECORD_RECIPIENTS_MAX * (RECORD_ROW + 1U) + AEAD_TAG_SIZE)
#define RECORD_BODY_MAX (UINT64_C(1) << 33)

enum segment_result { SEGMENT_OK, SEGMENT_INVALID };

/* The first block of a file. ret_checksum is what its first record has to name as the one before. */
struct segment_head {
    uint64_t number;
    uint8_t salt[SEGMENT_SALT_SIZE];
    uint32_t checksum;
};
void segment_head_write(struct segment_head *head, uint8_t block[SEGMENT_BLOCK]); /* sets checksum */
MUST_USE int segment_head_read(span_t block, uint64_t number, struct segment_head *ret_head);

struct record_head {
    uint32_t recipients;
    uint32_t before;
    uint64_t body_length;
    uint64_t record;
    uint64_t arrival; /* microseconds since 1970 */
    uint32_t body_checksum;
    uint8_t nonce[AEAD_NONCE_SIZE];
    uint32_t checksum;
};

struct record_row {
    uint64_t account;
    uint64_t before;
    uint8_t key[RECORD_KEY_SIZE];
};

uint64_t record_id(uint64_t segment, uint64_t offset);
uint64_t record_segment(uint64_t record);
uint64_t record_offset(uint64_t record);
size_t record_head_len(uint32_t recipients);
uint64_t record_len(const struct record_head *head); /* head and body, rounded up to SEGMENT_ALIGN */
uint64_t record_marks_at(uint32_t recipients);       /* from the record's start */

/*
 * Writes record_head_len(head->recipients) bytes; rows are laid out as above (RECORD_ROW each). Sets head->checksum.
 * Faults are those of aead_seal.
 */
MUST_USE int record_head_write(struct record_head *head, const uint8_t *rows, struct aead *aead, uint8_t *into);

/* The fixed part, all limits checked, the checksum not yet. SEGMENT_INVALID, or 0. */
MUST_USE int record_head_read(span_t bytes, struct record_head *ret_head);

/* Checks and opens a whole head: rows (RECORD_ROW each) go to `rows`. SEGMENT_INVALID, 0, or a fault. */
MUST_USE int record_head_open(const struct record_head *head, span_t bytes, struct aead *aead, uint8_t *rows);

void record_row_read(const uint8_t *rows, size_t index, struct record_row *ret_row);
