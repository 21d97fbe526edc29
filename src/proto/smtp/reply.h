#pragma once

#include "base/buf.h"

/*
 * Replies (RFC 5321 §4.2): three digits, the enhanced status code where there is one (RFC 3463, RFC 2034), the text.
 * A fault while appending is remembered by the buffer (buf_fault).
 *
 * status is an enhanced code such as "5.7.1", or NULL where RFC 2034 §4 wants none (greeting, EHLO, 3yz).
 */
void smtp_reply(struct buf *reply, unsigned code, const char *status, const char *text);

/* One line of a reply of several: more says that another one follows (RFC 5321 §4.2.1). */
enum smtp_reply_line { SMTP_REPLY_LAST, SMTP_REPLY_MORE };
void smtp_reply_line(struct buf *reply, unsigned code, enum smtp_reply_line more, span_t text);

/* As smtp_reply with text from another room: bytes outside printable ASCII become '?', and it is cut at 400 bytes. */
void smtp_reply_span(struct buf *reply, unsigned code, const char *status, span_t text);
