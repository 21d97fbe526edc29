#pragma once

#include "base/buf.h"

/*
 * Finds where a command ends in a stream of bytes: lines and the literals inside them (RFC 3501 §4.3, RFC 7888). Pure:
 * the caller reads from its connection into `input`, asks imap_reader_next, acts, and asks again.
 */
#define IMAP_LINE_MAX 65536U       /* a command's bytes but for its literals, after login */
#define IMAP_LINE_MAX_BEFORE 8192U /* and before */
#define IMAP_LITERAL_MAX 65536U    /* one literal that is not an APPEND's message, after login */
#define IMAP_LITERAL_MAX_BEFORE 1024U
#define IMAP_LITERALS_MAX 1024U      /* in one command */
#define IMAP_LITERAL_MINUS_MAX 4096U /* what LITERAL- allows without asking (RFC 7888 §5) */

struct imap_reader {
    size_t line_max;
    size_t literal_max;
    uint64_t message_max; /* of a message in APPEND or REPLACE, and of all in one; before login as literal_max */
    /* its own */
    size_t scanned;  /* offset in input up to which all is understood */
    size_t line_len; /* bytes of the command that are not literals */
    unsigned literals;
    uint64_t literal_bytes; /* of the command, so far */
    uint64_t skip;          /* bytes of a refused literal still to be thrown away */
    int refused;            /* the command is to be thrown away up to its end */
    uint64_t pending_literal;
};

enum imap_read {
    IMAP_READ_MORE,        /* nothing to do before more bytes arrive */
    IMAP_READ_COMMAND,     /* *ret_len: the command with its last CRLF; parse it, buf_consume(input, *ret_len) */
    IMAP_READ_CONTINUE,    /* say "+ OK": the client waits to send a literal of *ret_len bytes */
    IMAP_READ_LITERAL_BIG, /* a literal of *ret_len is beyond the limit: say "tag NO [TOOBIG]" (tag: imap_reader_tag
                            * of the input, which is still there), then call imap_reader_refuse */
    IMAP_READ_COMMAND_BIG, /* there are too many, or an APPEND's together are: say "tag NO [LIMIT]", then
                              imap_reader_refuse */
    IMAP_READ_LINE_LONG,   /* the line is beyond the limit: say BAD, then imap_reader_refuse */
};

void imap_reader_init(struct imap_reader *reader, size_t line_max, size_t literal_max, uint64_t message_max);

/* `input` starts at the first byte of a command; what imap_reader consumes of it is only what was refused. */
MUST_USE enum imap_read imap_reader_next(struct imap_reader *reader, struct buf *input, uint64_t *ret_len);

/* Throws the command at hand away, its non-synchronizing literals included, as far as it comes. */
void imap_reader_refuse(struct imap_reader *reader, struct buf *input);

/* The next line without its CRLF, for what is no command: a SASL response, DONE. Answers IMAP_READ_COMMAND with
 * *ret_line (valid until input changes) and *ret_len to consume, IMAP_READ_MORE or IMAP_READ_LINE_LONG. */
MUST_USE enum imap_read imap_reader_line(const struct imap_reader *reader, const struct buf *input, span_t *ret_line,
                                         uint64_t *ret_len);

/* The tag a command starts with, or "*" where it has none that may be repeated (RFC 3501 §7.1.3). */
span_t imap_reader_tag(span_t command);
