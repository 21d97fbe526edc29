#pragma once

#include "base/buf.h"
#include "crypto/secret.h"

/*
 * Sealed records: one message as the log holds it. A fresh content key seals the body once; the content key is sealed
 * to each recipient's public key (crypto/recordkey.h).
 *
 *   body   version (1) | chunks of RECORD_CHUNK plain bytes, the last one shorter, each followed by its tag (16)
 *   plain  message length (8) | metadata length (4) | metadata | message | zeros up to the padded length
 *
 * Each chunk is AES-256-GCM under the content key; its nonce is its number (8) and whether it is the last (4), so that
 * chunks can be neither moved nor cut off. The padded length is Padmé's, at least RECORD_PLAIN_MIN: the disk shows a
 * size class, not a size.
 */
#define RECORD_VERSION 1U
#define RECORD_CHUNK 65536U
#define RECORD_PLAIN_MIN 4096U
#define RECORD_KEY_LEN 32U
#define RECORD_SEALED_KEY_LEN 81U /* crypto/recordkey.h; the RECORD_KEY_SIZE of ipc/row.h */
#define RECORD_MESSAGE_MAX (UINT64_C(1) << 32)
#define RECORD_FLAGS_MAX 4096U
#define RECORD_PATH_MAX 1024U
#define RECORD_FLAG_JUNK "$Junk" /* RFC 9051 §2.3.2 */

enum record_result {
    RECORD_OK,
    RECORD_FORGED,          /* altered, cut short, or sealed under another key */
    RECORD_UNKNOWN_VERSION, /* made by a newer program */
};

enum record_kind {
    RECORD_DELIVERY = 1,
    RECORD_APPEND = 2,
    RECORD_TOGETHER = 3, /* one of several that are filed together by who appended them, or else given up */
    RECORD_OUTGOING = 4, /* in the queue: an envelope (ipc/envelope.h), then the message */
    RECORD_NOTE = 5,     /* in the queue: how far another record of it has come */
    RECORD_POLICY = 6,   /* in the queue: an MTA-STS policy that is to survive a restart (role/courier/stskept.h) */
};

struct record_meta {
    enum record_kind kind;
    uint64_t arrived;   /* microseconds since 1970 */
    uint64_t mailbox;   /* 0: INBOX */
    span_t flags;       /* as APPEND gave them, separated by spaces; at most RECORD_FLAGS_MAX; of RECORD_DELIVERY:
                           RECORD_FLAG_JUNK where it is to be filed as junk, or empty */
    span_t return_path; /* at most RECORD_PATH_MAX; of RECORD_APPEND: where it was imported from (vault/origin.h), or
                           empty */
};

/* The length of the whole body for a message of this length; known before sealing. */
uint64_t record_sealed_len(const struct record_meta *meta, uint64_t message_len);

/* --- sealing --- */

/* Makes a content key and appends the whole sealed body to *sealed. -EINVAL where a field is too long. */
MUST_USE int record_seal(const struct record_meta *meta, span_t message, struct buf *sealed,
                         struct secret **ret_content_key);

/* The same a chunk at a time, without a second copy of the message. meta and message must outlive the sealer. */
struct record_sealer;
MUST_USE int record_sealer_new(const struct record_meta *meta, span_t message, struct record_sealer **ret_sealer);
void record_sealer_free(struct record_sealer *sealer);
const struct secret *record_sealer_key(const struct record_sealer *sealer); /* the content key; lives with the sealer */
bool record_sealer_done(const struct record_sealer *sealer);
/* Appends the next piece, at most RECORD_CHUNK + 17 bytes. */
MUST_USE int record_sealer_next(struct record_sealer *sealer, struct buf *sealed);

/* --- opening; these answer an enum record_result or a fault --- */

/* All at once: the plain bytes are appended to *plain (which must be empty), into which meta and message then point. */
MUST_USE int record_open(const struct secret *content_key, span_t sealed, struct buf *plain,
                         struct record_meta *ret_meta, span_t *ret_message);

/*
 * In parts, from a file: sealed body of len bytes at offset. The descriptor stays the caller's and must outlive the
 * reader. Opening reads the first chunk and checks that the length fits; a part costs the chunks it touches. Reads are
 * pread(2) on the caller's thread.
 */
struct record_reader;
MUST_USE int record_reader_new(const struct secret *content_key, int fd, uint64_t offset, uint64_t len,
                               struct record_reader **ret_reader);
void record_reader_free(struct record_reader *reader);
const struct record_meta *record_reader_meta(const struct record_reader *reader); /* lives with the reader */
uint64_t record_reader_message_len(const struct record_reader *reader);
/* Appends message bytes [from, from + len), clipped to the message's end. */
MUST_USE int record_reader_read(struct record_reader *reader, uint64_t from, uint64_t len, struct buf *bytes);

SCOPE_OF(record_sealer)
SCOPE_OF(record_reader)
