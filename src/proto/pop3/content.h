#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * A message on its way to a POP3 client, fed in pieces of any size: a further dot goes before each that starts a line
 * (RFC 1939 §3), every line ends in CRLF, also where the message had a bare LF, and the last one is ended where it was
 * not. Pure; holds no bytes.
 */
struct pop3_content {
    uint64_t lines_left; /* of the body */
    uint64_t line_len;   /* bytes of the line so far */
    uint8_t last;        /* byte; '\n' at the start */
    bool is_body;
    bool is_enough;
};

/* lines: of the body (TOP), or POP3_LINES_ALL. */
void pop3_content_init(struct pop3_content *content, uint64_t lines);

/* Appends what is to be sent of this piece; at most twice its length and one byte. What comes after the last line that
 * is wanted is left out: no more need be fed once is_enough. */
void pop3_content_feed(struct pop3_content *content, span_t piece, struct buf *out);

/* Ends the last line, and the message with the line that is a dot. */
void pop3_content_end(const struct pop3_content *content, struct buf *out);
