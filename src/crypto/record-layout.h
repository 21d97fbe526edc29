#pragma once

#include "crypto/aead.h"
#include "crypto/record.h"

/* What sealing and opening of records share: the layout of record.h in numbers. For the files of this folder only. */
#define RECORD_HEAD_LEN 12U   /* message length, metadata length */
#define RECORD_META_FIXED 21U /* kind 1, arrived 8, mailbox 8, flags length 2, path length 2 */
#define RECORD_SEALED_CHUNK (RECORD_CHUNK + AEAD_TAG_SIZE)

/* Padmé (Nikitin and others, 2019): at most 12 % more, and few sizes to tell apart. At least RECORD_PLAIN_MIN. */
uint64_t record_padded_len(uint64_t len);

/* Of the body, from the padded length of what is in it; and back, 0 where no body has this length. */
uint64_t record_body_len(uint64_t padded);
uint64_t record_plain_len(uint64_t body);

void record_nonce(uint64_t chunk, bool last, uint8_t ret_nonce[AEAD_NONCE_SIZE]);

/* Reads the head and the metadata at the start of the plain bytes, whose padded length is `padded`. RECORD_FORGED where
 * they contradict each other: with a right key that is a defect of the sealer, never trusted for being authentic. */
MUST_USE int record_head_parse(span_t plain, uint64_t padded, struct record_meta *ret_meta, uint64_t *ret_start,
                               uint64_t *ret_message_len);
