#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * One POP3 command (RFC 1939 §3, §9; RFC 2449 §5; RFC 2595 §4; RFC 5034 §4; RFC 6856 §2, §3). Pure.
 *
 * APOP (RFC 1939 §7) is none of ours: it would need the password itself to be stored.
 */
#define POP3_LINE_MAX 1024U            /* after login; RFC 2449 §4 wants 255 */
#define POP3_LINE_MAX_BEFORE 12288U    /* and before: a line of a SASL exchange (RFC 4954 §4) */
#define POP3_NUMBER_MAX UINT64_MAX     /* what a larger number is read as */
#define POP3_LINES_ALL POP3_NUMBER_MAX /* of RETR, in the place of TOP's lines */

enum pop3_verb {
    POP3_AUTH,
    POP3_CAPA,
    POP3_DELE,
    POP3_LANG,
    POP3_LIST,
    POP3_NOOP,
    POP3_PASS,
    POP3_QUIT,
    POP3_RETR,
    POP3_RSET,
    POP3_STAT,
    POP3_STLS,
    POP3_TOP,
    POP3_UIDL,
    POP3_USER,
    POP3_UTF8,
    POP3_VERB_COUNT,
};

enum pop3_state { POP3_AUTHORIZATION = 1, POP3_TRANSACTION = 2 }; /* as bits (RFC 1939 §3) */

struct pop3_command {
    enum pop3_verb verb;
    span_t text;     /* USER, PASS: all of the argument; AUTH: the mechanism; LANG: the range; else and absent: NULL */
    span_t initial;  /* AUTH: the initial response; at == NULL: there was none */
    bool has_number; /* a message was named */
    uint64_t number;
    uint64_t lines; /* TOP */
};

enum pop3_parse {
    POP3_PARSE_OK,
    POP3_PARSE_UNKNOWN,  /* no such command */
    POP3_PARSE_STATE,    /* not in this state */
    POP3_PARSE_ARGUMENT, /* not with these arguments */
};

/* A line without its line end. Spans point into it. *ret_command is set only on POP3_PARSE_OK. */
MUST_USE enum pop3_parse pop3_command_parse(span_t line, enum pop3_state state, struct pop3_command *ret_command);

/*
 * Finds the lines in what a client sends. A bare LF ends a line too: whoever types by hand sends that, and there is no
 * second reader who could understand it otherwise.
 */
struct pop3_reader {
    size_t max;
    bool is_skipping; /* what is left of a line that was too long */
};
enum pop3_read {
    POP3_READ_MORE, /* nothing to do before more bytes arrive */
    POP3_READ_LINE, /* *ret_line, without its end; consume *ret_len when done with it */
    POP3_READ_LONG, /* a line is longer than max; it is thrown away as it comes */
};
MUST_USE enum pop3_read pop3_reader_next(struct pop3_reader *reader, struct buf *input, span_t *ret_line,
                                         size_t *ret_len);
