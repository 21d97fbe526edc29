#pragma once

#include "base/buf.h"

/*
 * What a POP3 server writes, in both states. All append to a buffer and leave faults in it (buf_fault). Pure.
 */

/* What a connection may do, and has agreed on, as bits. */
enum pop3_mode {
    POP3_CAN_STLS = 1,     /* TLS is not on yet, and possible */
    POP3_CAN_LOGIN = 2,    /* TLS is on: passwords may be said */
    POP3_CAN_PLUS = 4,     /* the connection has a channel binding: SCRAM-SHA-256-PLUS */
    POP3_UTF8_ON = 8,      /* the client has said UTF8 (RFC 6856 §2) */
    POP3_HIDES_SCRAM = 16, /* SCRAM is not announced */
};

/* The answer to CAPA (RFC 2449 §5), all of it. */
void pop3_write_capabilities(struct buf *out, unsigned mode);

/* The mechanisms, one a line: what AUTH without an argument asks for. */
void pop3_write_mechanisms(struct buf *out, unsigned mode);

/* The answer to LANG (RFC 6856 §3); range.at == NULL: to LANG alone. There is English. */
void pop3_write_language(struct buf *out, span_t range);

/* A mode on its way from the gate to the session, as text. Reading anything else gives 0. */
void pop3_mode_write(struct buf *out, unsigned mode);
unsigned pop3_mode_read(span_t text);

/* `+OK text` and `-ERR text`, with CRLF. text may start with a response code (RFC 2449 §8). */
void pop3_write_ok(struct buf *out, const char *text);
void pop3_write_err(struct buf *out, const char *text);
