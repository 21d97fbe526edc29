#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * The content of a message after DATA (RFC 5321 §4.1.1.4), as it streams by: finds its end, takes off the stuffed
 * dots (§4.5.2). Only <CRLF>.<CRLF> ends it. A CR without LF or an LF without CR ends nothing (§2.3.8); it makes the
 * whole message unacceptable, which the caller learns at its end, so that what some other server took for the end of
 * the message never becomes one here (SMTP smuggling).
 */
struct smtp_data {
    enum smtp_data_state {
        SMTP_DATA_LINE_START,
        SMTP_DATA_IN_LINE,
        SMTP_DATA_CR,     /* after a CR inside a line */
        SMTP_DATA_DOT,    /* after a dot at the start of a line */
        SMTP_DATA_DOT_CR, /* after a CR following that dot */
        SMTP_DATA_DONE,
    } state;
    bool bare_newline; /* a bare CR or LF was seen */
    uint64_t line;     /* bytes of the line under way, as sent after its dot */
    uint64_t longest;  /* of the lines so far, with their CRLF: 1000 are promised (RFC 5321 §4.5.3.1.6) */
    uint64_t size;     /* bytes of content so far, dots taken off */
};

enum smtp_data_step { SMTP_DATA_MORE, SMTP_DATA_END };

void smtp_data_init(struct smtp_data *data);

/*
 * Takes bytes in, appends content to out (which must have room for input.len + 1 bytes), sets *ret_used to what was
 * consumed: all of it, unless the end came earlier; what follows the end is the next command. Negative: -ENOBUFS or
 * -ENOMEM of out, and then the connection cannot go on.
 */
MUST_USE int smtp_data_feed(struct smtp_data *data, span_t input, struct buf *out, size_t *ret_used);

/* The same check for BDAT chunks, which have no dots (RFC 3030 §2): looks only. State is kept between chunks. */
void smtp_data_look(struct smtp_data *data, span_t input);
