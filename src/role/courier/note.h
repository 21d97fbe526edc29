#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "proto/smtp/response.h"

/*
 * How far a message in the queue has come, as courier has it kept in the log (RECORD_NOTE): a note stands for the
 * message's record, and the newest one counts. A message without a note has not been tried.
 *
 *   version 1 | record 8 | flags 1 | attempts 4 | next attempt 8 | count 4 | for each recipient, in the envelope's
 * order: status 1 | code 2 | class 1 | subject 2 | detail 2 | lengths of host and text 2 each | host | text
 */
#define NOTE_VERSION 1U
#define NOTE_FIXED 26U
#define NOTE_HOST_MAX 128U
#define NOTE_MAX (1U << 20)

enum note_flag {
    NOTE_HELD = 1,    /* by the operator */
    NOTE_DELAYED = 2, /* the sender was told of the delay */
};

enum note_status {
    NOTE_OPEN,      /* to be sent */
    NOTE_DONE,      /* nothing is left to do */
    NOTE_DELIVERED, /* it has its copy, and the sender wants to hear of it */
    NOTE_RELAYED,   /* likewise, by a server that makes no reports (RFC 3461 §5.2.2) */
    NOTE_FAILED,    /* for good, and the sender has not heard of it yet */
    NOTE_STATUS_COUNT,
};

struct note_recipient {
    enum note_status status;
    struct smtp_response response; /* the latest; code 0: none */
    uint8_t host_len;
    uint8_t host[NOTE_HOST_MAX]; /* who said it, or "" */
};

struct note {
    uint64_t record;
    unsigned flags;
    uint32_t attempts;
    int64_t next; /* seconds since 1970 */
    size_t count;
    struct note_recipient *recipients; /* lent */
};

MUST_USE int note_write(const struct note *note, struct buf *bytes);

/* The record a note stands for, and how many recipients it has; 0: it is none. */
uint64_t note_record(span_t bytes, size_t *ret_count);

/* Reads all of it into note->recipients, note->count of them, which must be as many as it has. -EBADMSG. */
MUST_USE int note_read(span_t bytes, struct note *note);
