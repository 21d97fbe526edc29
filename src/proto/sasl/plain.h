#pragma once

#include "base/buf.h"
#include "base/span.h"

/* SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), the server's side, and base64 lines. Pure. */
#define SASL_LINE_MAX 12288U /* RFC 4954 §4: a base64 line of an authentication exchange */
#define SASL_NAME_MAX 1024U

enum sasl_result {
    SASL_OK,
    SASL_MALFORMED,
    SASL_CANCELLED, /* the line is "*" (RFC 4954 §4, RFC 3501 §6.2.2) */
    SASL_REFUSED,   /* well-formed, but not for us: another authorization identity */
};

struct sasl_plain {
    span_t user;
    span_t password;
};

/* The client's message, already decoded. An authzid other than the authcid is refused (RFC 4616 §2). */
MUST_USE int sasl_plain_parse(span_t message, struct sasl_plain *ret_plain);

/* One line from the client, CRLF removed. "=" stands for an empty message where it is an initial response (RFC 4954
 * §4). The decoded bytes are appended to *message. -ENOMEM and -ENOBUFS are faults. */
MUST_USE int sasl_line_decode(span_t line, struct buf *message);

/* The prompts of LOGIN, already in base64. */
#define SASL_LOGIN_ASK_USER "VXNlcm5hbWU6"
#define SASL_LOGIN_ASK_PASSWORD "UGFzc3dvcmQ6"

enum sasl_mechanism { SASL_PLAIN, SASL_LOGIN, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS, SASL_MECHANISM_COUNT };
/*
 * What a server does with SCRAM. Programs that see it announced pick it by themselves, and then fail with a password
 * that a person chose; so it may be left out of the list and still be taken from those that ask for it by name.
 */
enum sasl_scram { SASL_SCRAM_ANNOUNCED, SASL_SCRAM_ASKED, SASL_SCRAM_OFF };
bool sasl_mechanism_is_scram(enum sasl_mechanism mechanism);

/* By name, in any case (RFC 4422 §3.1); false where there is none such. */
bool sasl_mechanism_find(span_t name, enum sasl_mechanism *ret_mechanism);
const char *sasl_mechanism_name(enum sasl_mechanism mechanism);
