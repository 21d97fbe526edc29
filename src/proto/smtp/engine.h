#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "proto/sasl/exchange.h"
#include "proto/smtp/command.h"
#include "proto/smtp/helo.h"

/*
 * The server's side of SMTP (RFC 5321) and of message submission (RFC 6409), pure: lines in, replies and things to do
 * out; no socket, no clock. What is allowed when is the table at the top of engine.c.
 *
 * The caller feeds complete lines. Where the answer is SMTP_GO_ON, the reply is in the buffer and the next line may be
 * fed; replies collect until the caller has no more complete lines, which is all that PIPELINING needs (RFC 2920 §3.2).
 * Every other answer asks for something, and the function named beside it must be called before the next line.
 */
enum smtp_kind {
    SMTP_RECEIVING,  /* port 25: mail from anybody for people here */
    SMTP_SUBMISSION, /* 587 and 465: mail from people here */
};

/* What becomes of a client that breaks a rule which honest ones keep. */
enum smtp_strictness {
    SMTP_LENIENT,
    SMTP_MARKING, /* it is noted: engine->out_of_turn, engine->helo_fault */
    SMTP_STRICT,  /* and refused */
};

struct smtp_settings {
    enum smtp_kind kind;
    span_t hostname;
    uint64_t message_max;
    size_t recipients_max;
    size_t commands_max; /* in one connection */
    size_t errors_max;   /* in one connection */
    bool can_tls;        /* STARTTLS can be offered */
    uint64_t hold_max;   /* submission: seconds a message may be held before it goes out (RFC 4865); 0: not at all */
    bool can_bind;       /* the TLS connection gives channel bindings: -PLUS is offered */
    enum sasl_scram scram;
    enum smtp_strictness
        turn; /* RFC 5321 §3.1, RFC 2920 §3.1: to wait for the greeting, and for what may not be grouped */
    enum smtp_strictness helo; /* helo.h */
    bool is_helo_from_here;    /* as in struct smtp_helo_facts */
    span_t address;            /* likewise; lives as long as the engine */
};

enum smtp_step {
    SMTP_GO_ON,
    SMTP_NEED_SENDER,       /* may the account send as engine->path? smtp_engine_sender */
    SMTP_NEED_RECIPIENT,    /* who is engine->path? smtp_engine_recipient */
    SMTP_NEED_LOGIN,        /* engine->sasl.user, .password: smtp_engine_login */
    SMTP_NEED_SCRAM_START,  /* engine->sasl.message: smtp_engine_scram, smtp_engine_login where refused */
    SMTP_NEED_SCRAM_FINISH, /* engine->sasl.message: smtp_engine_scram with the server-final-message where right */
    SMTP_NEED_LOGIN_END,    /* the client has seen the server-final-message: smtp_engine_login as it was decided */
    SMTP_NEED_TLS,          /* send the reply, shake hands: smtp_engine_tls */
    SMTP_NEED_BODY,         /* send the reply, read the content as in data.h: smtp_engine_body */
    SMTP_NEED_CHUNK,        /* read engine->chunk bytes of content: smtp_engine_body */
    SMTP_NEED_SKIP,         /* read and drop engine->chunk bytes; the reply stands in the buffer already */
    SMTP_NEED_CLOSE,        /* send the reply, close */
};

enum smtp_answer {
    SMTP_YES,
    SMTP_NO,        /* unknown recipient; not the account's address; wrong password */
    SMTP_ELSEWHERE, /* recipient in a domain that is not ours; on submission it is taken, to be sent on */
    SMTP_LOCKED,    /* recipient or account locked */
    SMTP_SCOPE,     /* the app password does not cover sending */
    SMTP_LATER,     /* nobody there to decide */
    SMTP_CROWDED,   /* recipient: the list is full */
    SMTP_FULL,      /* recipient: no room left for it */
    SMTP_WAIT,      /* recipient: too much has come from this client's network */
};

enum smtp_body_end {
    SMTP_BODY_ACCEPTED,
    SMTP_BODY_LATER,
    SMTP_BODY_REFUSED,
    SMTP_BODY_UNREADABLE, /* what is in it is not what the address is for */
    SMTP_BODY_WAIT,       /* not now: greylisted, or what judges mail is away */
    SMTP_BODY_TOO_LARGE,
    SMTP_BODY_LOOP,
    SMTP_BODY_FULL,
    SMTP_BODY_BARE_NEWLINE,
    SMTP_BODY_LONG_LINE,
    SMTP_BODY_CHUNK, /* a chunk that was not the last is in */
};

struct smtp_engine {
    struct smtp_settings settings;
    enum smtp_state {
        SMTP_STATE_NEW = 1,     /* before EHLO or HELO */
        SMTP_STATE_READY = 2,   /* greeted, no transaction */
        SMTP_STATE_SENDER = 4,  /* MAIL was accepted */
        SMTP_STATE_RCPT = 8,    /* and at least one RCPT */
        SMTP_STATE_CHUNKS = 16, /* amid BDAT */
        SMTP_STATE_AUTH = 32,   /* the next line is a SASL response */
    } state;
    bool extended; /* EHLO rather than HELO */
    bool tls;
    bool authenticated;
    bool more_input;  /* set by the caller before each line: bytes stand behind it already */
    int64_t now;      /* likewise: seconds since 1970 */
    bool out_of_turn; /* the client has spoken before it was its turn */
    enum smtp_helo helo_fault;
    struct buf helo;       /* what the client calls itself */
    struct smtp_path path; /* being asked about */
    struct buf sender;     /* reverse-path of the transaction; empty for <> */
    enum smtp_body body;
    bool utf8;
    bool require_tls;
    enum smtp_return ret;
    struct buf envid;
    int64_t hold_until; /* seconds since 1970; 0: not held */
    unsigned notify;    /* of the recipient being asked about */
    struct buf orcpt;   /* likewise */
    size_t recipients;
    struct buf recipient; /* the transaction's first recipient, as given */
    uint64_t size;        /* bytes of chunks so far */
    uint64_t chunk;
    bool chunk_last;
    bool chunks_failed; /* an earlier chunk of this transaction was refused */
    struct sasl_exchange sasl;
    size_t commands;
    size_t errors;
};

void smtp_engine_init(struct smtp_engine *engine, const struct smtp_settings *settings);
void smtp_engine_deinit(struct smtp_engine *engine);

void smtp_engine_greet(const struct smtp_engine *engine, struct buf *reply); /* RFC 5321 §4.2, 220 */

/* The client spoke before it was greeted. SMTP_GO_ON: greet it. */
MUST_USE enum smtp_step smtp_engine_early(struct smtp_engine *engine, struct buf *reply);

/* One line, CRLF included. The reply buffer's fault, if any, is the caller's to see. */
MUST_USE enum smtp_step smtp_engine_line(struct smtp_engine *engine, span_t line, struct buf *reply);
/* The line was longer than the limit (SMTP_LINE_MAX, SMTP_AUTH_LINE_MAX amid AUTH): RFC 5321 §4.5.3.1.9. */
MUST_USE enum smtp_step smtp_engine_long_line(struct smtp_engine *engine, struct buf *reply);
size_t smtp_engine_line_max(const struct smtp_engine *engine);

MUST_USE enum smtp_step smtp_engine_sender(struct smtp_engine *engine, enum smtp_answer answer, struct buf *reply);
MUST_USE enum smtp_step smtp_engine_recipient(struct smtp_engine *engine, enum smtp_answer answer, struct buf *reply);
MUST_USE enum smtp_step smtp_engine_login(struct smtp_engine *engine, enum smtp_answer answer, struct buf *reply);
MUST_USE enum smtp_step smtp_engine_scram(struct smtp_engine *engine, span_t message, struct buf *reply);
/* The handshake is done, now or before the greeting. Forgets all that was said before (RFC 3207 §4.2). */
void smtp_engine_tls(struct smtp_engine *engine, bool can_bind);
/* text: what the room that refused it says, or SPAN_NONE. */
MUST_USE enum smtp_step smtp_engine_body(struct smtp_engine *engine, enum smtp_body_end end, span_t text,
                                         struct buf *reply);
