#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * The server's side of a SASL exchange (RFC 4422), for SMTP AUTH (RFC 4954) and IMAP AUTHENTICATE alike: takes the
 * client's responses, says what to ask the keeper. Pure; proving anything is the keeper's work.
 */
enum sasl_mechanism {
    SASL_PLAIN,             /* RFC 4616 */
    SASL_LOGIN,             /* draft-murchison-sasl-login: user name and password, asked for one by one */
    SASL_SCRAM_SHA256,      /* RFC 7677 */
    SASL_SCRAM_SHA256_PLUS, /* with channel binding (RFC 5802 §6) */
    SASL_MECHANISM_COUNT,
};

#define SASL_RESPONSE_MAX 2048U /* decoded */

/* Its name, as announced. */
const char *sasl_mechanism_name(enum sasl_mechanism mechanism);
/* false where there is none of this name (letter case does not matter). */
bool sasl_mechanism_find(span_t name, enum sasl_mechanism *ret_mechanism);

enum sasl_step {
    SASL_CHALLENGE,    /* send the challenge, then feed the answer */
    SASL_LOGIN_READY,  /* user and password stand ready for the keeper: it decides */
    SASL_SCRAM_START,  /* message is a client-first-message: the keeper's answer goes to sasl_scram_challenge */
    SASL_SCRAM_FINISH, /* message is a client-final-message: the keeper decides */
    SASL_CANCELLED,    /* the client sent "*" (RFC 4954 §4, RFC 3501 §6.2.2) */
    SASL_MALFORMED,    /* not base64, too long, or not what the mechanism wants */
};

struct sasl_exchange {
    enum sasl_mechanism mechanism;
    enum sasl_state { SASL_WANT_FIRST, SASL_WANT_PASSWORD, SASL_WANT_FINAL, SASL_OVER } state;
    struct buf user;      /* SASL_LOGIN_READY */
    struct buf password;  /* SASL_LOGIN_READY; wiped by sasl_exchange_deinit */
    struct buf message;   /* decoded response: SASL_SCRAM_… */
    struct buf challenge; /* base64 of the challenge to send; may be empty */
};

void sasl_exchange_init(struct sasl_exchange *exchange, enum sasl_mechanism mechanism);
void sasl_exchange_deinit(struct sasl_exchange *exchange); /* wipes */

/* Starts, with the initial response as the client wrote it ("=" for empty), or SPAN_NONE where there was none. */
MUST_USE enum sasl_step sasl_exchange_start(struct sasl_exchange *exchange, span_t initial);
/* One line from the client, without its CRLF. */
MUST_USE enum sasl_step sasl_exchange_feed(struct sasl_exchange *exchange, span_t line);
/* The keeper's server-first-message (then SASL_CHALLENGE), or its server-final-message with the good news, which SMTP
 * and IMAP have to send as one more challenge (RFC 5802 §5.1, RFC 4954 §4); the answer to that is an empty line. */
MUST_USE int sasl_scram_challenge(struct sasl_exchange *exchange, span_t message);
