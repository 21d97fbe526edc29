#pragma once

#include "base/buf.h"

/*
 * Content transfer encodings (RFC 2045 §6). Decoding forgives: base64 skips foreign bytes and goes on after padding,
 * quoted-printable keeps escapes that are none.
 */
enum mime_encoding {
    MIME_ENCODING_7BIT,
    MIME_ENCODING_8BIT,
    MIME_ENCODING_BINARY,
    MIME_ENCODING_QUOTED_PRINTABLE,
    MIME_ENCODING_BASE64,
    MIME_ENCODING_UNKNOWN, /* decoded as it stands */
};

/* By the value of Content-Transfer-Encoding; empty is 7bit. */
enum mime_encoding mime_encoding_parse(span_t value);

/* A decoder that is fed in pieces. */
struct mime_decoder {
    enum mime_encoding encoding;
    uint32_t bits;      /* base64: digits of an unfinished group */
    unsigned digits;    /* how many */
    uint8_t held[1024]; /* quoted-printable: white space or an escape that the next piece decides */
    size_t held_len;
};

void mime_decoder_init(struct mime_decoder *decoder, enum mime_encoding encoding);
int mime_decoder_push(struct mime_decoder *decoder, span_t bytes, struct buf *decoded); /* 0 or the buffer's fault */
int mime_decoder_finish(struct mime_decoder *decoder, struct buf *decoded);

/* All at once. */
int mime_decode(enum mime_encoding encoding, span_t bytes, struct buf *decoded);

int mime_base64_encode(span_t bytes, struct buf *text);           /* lines of 76 and CRLF (RFC 2045 §6.8) */
int mime_quoted_printable_encode(span_t bytes, struct buf *text); /* of text with CRLF or LF (RFC 2045 §6.7) */
