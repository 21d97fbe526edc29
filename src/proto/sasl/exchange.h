#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "proto/sasl/plain.h"

/*
 * The server's side of a SASL exchange (RFC 4422), for SMTP AUTH (RFC 4954) and IMAP AUTHENTICATE alike: takes the
 * client's responses, says what to ask the keeper. Pure; checking anything is the keeper's work.
 */
#define SASL_RESPONSE_MAX 2048U /* decoded: what a message to the keeper may carry */

/* Behind every refusal, whoever is asking: programs that pick SCRAM by themselves leave people wondering. */
#define SASL_SCRAM_HINT "; SCRAM works with app passwords only, any other password needs PLAIN"

enum sasl_step {
    SASL_STEP_CHALLENGE,    /* send the challenge, then feed the answer */
    SASL_STEP_LOGIN,        /* user and password stand ready for the keeper, who decides */
    SASL_STEP_SCRAM_START,  /* message is a client-first-message: the keeper's answer goes to sasl_exchange_answer */
    SASL_STEP_SCRAM_FINISH, /* message is a client-final-message: the keeper decides; where it is right, its
                             * server-final-message goes to sasl_exchange_answer */
    SASL_STEP_SCRAM_END,    /* the client has taken note of the server-final-message: it is logged in */
    SASL_STEP_CANCELLED,    /* the client sent "*" (RFC 4954 §4, RFC 3501 §6.2.2) */
    SASL_STEP_MALFORMED,    /* not base64, too long, or not what the mechanism wants */
};

struct sasl_exchange {
    enum sasl_mechanism mechanism;
    enum sasl_state {
        SASL_WANT_FIRST,
        SASL_WANT_PASSWORD, /* of LOGIN */
        SASL_WANT_FINAL,    /* of SCRAM */
        SASL_WANT_NOTHING,  /* the empty answer to a server-final-message */
        SASL_OVER,
    } state;
    struct buf user;
    struct buf password;
    struct buf message;   /* the client's, decoded */
    struct buf challenge; /* in base64; may be empty */
};

void sasl_exchange_init(struct sasl_exchange *exchange);
void sasl_exchange_deinit(struct sasl_exchange *exchange); /* wipes; it may be started again */

/* Starts, with the initial response as the client wrote it ("=" for empty), or SPAN_NONE where there was none. */
MUST_USE enum sasl_step sasl_exchange_start(struct sasl_exchange *exchange, enum sasl_mechanism mechanism,
                                            span_t initial);

/* One line from the client, without its CRLF. */
MUST_USE enum sasl_step sasl_exchange_feed(struct sasl_exchange *exchange, span_t line);

/*
 * The keeper's server-first-message, or its server-final-message, which in SMTP and IMAP goes out as one more challenge
 * and is answered by an empty line (RFC 5802 §5, RFC 4954 §4). SASL_STEP_CHALLENGE, or SASL_STEP_MALFORMED without
 * memory.
 */
MUST_USE enum sasl_step sasl_exchange_answer(struct sasl_exchange *exchange, span_t message);
