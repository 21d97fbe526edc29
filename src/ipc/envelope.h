#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * What stands in front of a message in a record of the queue (QUEUE_ACCOUNT), inside what is sealed: whom it goes to
 * and what its sender asked for.
 *
 *   version 1 | length of all of this 4 | flags 4 | account 8 | hold until 8 | length of sender 2 | of envid 2 | sender
 * | envid | rows: notify 1 | length of address 2 | of orcpt 2 | address | orcpt
 */
#define ENVELOPE_VERSION 1U
#define ENVELOPE_FIXED 29U
#define ENVELOPE_MAX (1U << 20)

enum envelope_flag {
    ENVELOPE_UTF8 = 1, /* RFC 6531 §3.4: SMTPUTF8 */
    ENVELOPE_8BIT = 2,
    ENVELOPE_BINARY = 4,
    ENVELOPE_RETURN_FULL = 8, /* RFC 3461 §4.3 */
    ENVELOPE_RETURN_HEADERS = 16,
    ENVELOPE_REQUIRE_TLS = 32,  /* RFC 8689 */
    ENVELOPE_TLS_OPTIONAL = 64, /* goes whatever policies ask for: a report on TLS (RFC 8460 §3) */
};

struct envelope {
    uint32_t flags;
    uint64_t account;   /* whose message it is; 0: the server's own */
    int64_t hold_until; /* seconds since 1970; 0: at once */
    span_t sender;      /* empty for <> */
    span_t envid;       /* xtext (RFC 3461 §4.4), or empty */
    span_t rows;
};

#define ENVELOPE_NOTIFY 0x0FU /* SMTP_NOTIFY_… (proto/smtp/command.h), as the sender said it */
#define ENVELOPE_KEPT 0x20U   /* of one that is sent on: an account here has its copy */
#define ENVELOPE_FORWARD                                                                                               \
    0x40U /* mail for the address that stands in orcpt is sent on to it, which is nobody's business */
#define ENVELOPE_LOCAL 0x80U /* it has its copy already: only the report that was asked for is due */

struct envelope_recipient {
    uint8_t notify;
    span_t address;
    span_t orcpt; /* type and xtext (RFC 3461 §4.2), or empty */
};

/* Appends it. -EINVAL where a field is too long, -ENOBUFS, -ENOMEM. */
MUST_USE int envelope_write(const struct envelope *envelope, struct buf *bytes);

/* Its length, from the first ENVELOPE_FIXED bytes; 0 where these are none. */
size_t envelope_len(span_t bytes);

/* All of it, with every row checked; spans point into bytes. -EBADMSG. */
MUST_USE int envelope_read(span_t bytes, struct envelope *ret_envelope);

MUST_USE int envelope_recipient_write(const struct envelope_recipient *recipient, struct buf *rows);
/* Takes the next one off rows; false at the end, or where it is none. */
MUST_USE bool envelope_recipient_next(span_t *rows, struct envelope_recipient *ret_recipient);
/* Whether these are whole rows, and at least one. */
bool envelope_rows_are_sound(span_t rows);
/* Whether its sender writes to somebody elsewhere: neither ENVELOPE_LOCAL nor ENVELOPE_FORWARD; and how many such
 * there are. */
bool envelope_recipient_is_written_to(const struct envelope_recipient *recipient);
size_t envelope_rows_leaving(span_t rows);
