#pragma once

#include "base/buf.h"

/* xtext, as DSN parameters are written (RFC 3461 §4). Pure. */

/* Appends the text as xtext; bytes beyond ASCII stay as they are (RFC 6533 §3). A fault of the buffer. */
int smtp_xtext_write(span_t text, struct buf *xtext);

/* ORCPT of an address: rfc822, or utf-8 where it is not in ASCII (RFC 3461 §4.2, RFC 6533 §3). A fault of the buffer.
 */
int smtp_orcpt_write(span_t address, struct buf *orcpt);
/* Appends the address in it. */
int smtp_orcpt_read(span_t orcpt, struct buf *address);

/* Appends what sound xtext (smtp_is_xtext) stands for, with '?' for control characters. A fault of the buffer. */
int smtp_xtext_read(span_t xtext, struct buf *text);
