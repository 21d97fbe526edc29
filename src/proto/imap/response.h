#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * What a server writes (RFC 3501 §9). All append to a buffer and leave faults in it (buf_fault).
 */

/* Connection states (RFC 3501 §3), as bits. */
enum imap_state {
    IMAP_BEFORE_LOGIN = 1,
    IMAP_AUTHENTICATED = 2,
    IMAP_SELECTED = 4,
    IMAP_UTF8 = 8, /* beside one of them: names are said in UTF-8 (RFC 9051 §6.3.1, RFC 6855 §3) */
};

enum imap_capability_flag {
    IMAP_CAN_STARTTLS = 1, /* STARTTLS is possible here */
    IMAP_CAN_LOGIN = 2,    /* passwords may be said here: TLS is on; without it LOGINDISABLED (RFC 3501 §6.2.3) */
    IMAP_CAN_PLUS = 4,     /* SCRAM-SHA-256-PLUS can be offered: the connection has a channel binding */
    IMAP_HIDES_SCRAM = 8,  /* SCRAM is not announced */
};

/* The capabilities, separated by SP, without "CAPABILITY" itself: imap_capabilities(out, IMAP_BEFORE_LOGIN, flags). */
void imap_capabilities(struct buf *out, enum imap_state state, unsigned flags);

void imap_write_quoted(struct buf *out, span_t text); /* only for text without NUL, CR, LF and 8-bit bytes */
void imap_write_literal(struct buf *out, span_t bytes);
void imap_write_string(struct buf *out, span_t bytes);      /* quoted or literal */
void imap_write_nstring(struct buf *out, span_t bytes);     /* NIL where bytes.at is NULL */
void imap_write_astring(struct buf *out, span_t bytes);     /* atom, quoted or literal */
void imap_write_mailbox(struct buf *out, span_t utf8);      /* an astring in modified UTF-7 (RFC 3501 §5.1.3) */
void imap_write_mailbox_utf8(struct buf *out, span_t utf8); /* and in UTF-8 (RFC 9051 §5.1) */

/* `tag OK text` and its like, with CRLF. text may start with a response code in brackets. */
void imap_write_status(struct buf *out, span_t tag, const char *status, const char *text);

#define IMAP_DATE_TIME_LEN 28U                               /* "17-Jul-1996 02:44:25 -0700" with its quotes */
void imap_write_date_time(struct buf *out, int64_t seconds); /* INTERNALDATE, in UTC, quoted */
size_t imap_put_date_time(uint8_t at[IMAP_DATE_TIME_LEN], int64_t seconds);
size_t imap_put_u64(uint8_t at[20], uint64_t value); /* decimal; how many bytes */
