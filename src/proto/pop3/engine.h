#pragma once

#include "proto/pop3/command.h"
#include "proto/pop3/maildrop.h"
#include "proto/pop3/response.h"

/*
 * A POP3 connection after login, the TRANSACTION state (RFC 1939 §5): takes lines, answers them, and says what it
 * cannot do itself. Pure.
 */
#define POP3_ENGINE_PIECE 65536U /* about how much of a listing is written at once */

enum pop3_step {
    POP3_STEP_DONE,   /* the answer is in the output */
    POP3_STEP_MORE,   /* and there is more of it: send what is there, then call pop3_engine_more */
    POP3_STEP_SEND,   /* the message engine->entry is wanted, engine->lines of its body: answer it */
    POP3_STEP_UPDATE, /* QUIT: carry out what was marked, answer, and end (RFC 1939 §6) */
};

struct pop3_engine {
    struct pop3_maildrop *maildrop;
    unsigned mode; /* enum pop3_mode */
    unsigned bad;  /* commands in a row that were refused */
    struct pop3_entry *entry;
    uint64_t lines; /* POP3_LINES_ALL: of RETR */
    /* its own */
    bool is_uidl; /* the listing under way */
    size_t at;    /* its next message */
};

/* What is said first, in answer to the login. */
void pop3_engine_greet(const struct pop3_engine *engine, struct buf *out);

MUST_USE enum pop3_step pop3_engine_line(struct pop3_engine *engine, span_t line, struct buf *out);
MUST_USE enum pop3_step pop3_engine_more(struct pop3_engine *engine, struct buf *out);
