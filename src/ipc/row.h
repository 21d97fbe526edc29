#pragma once

#include <stddef.h>

/*
 * The rows inside messages, and the numbers they use. Each is laid out little-endian without gaps; the offsets here
 * are the layout, and ipc/row.c reads and writes them.
 */
enum ipc_role {
    ROLE_SUPERVISOR,
    ROLE_GATE,
    ROLE_KEEPER,
    ROLE_INTAKE,
    ROLE_STORE,
    ROLE_SESSION,
    ROLE_COUNT,
};

/* What a listener serves. The _TLS ones start with a handshake (RFC 8314). */
enum ipc_service {
    SERVICE_SMTP,
    SERVICE_SUBMISSION,
    SERVICE_SUBMISSION_TLS,
    SERVICE_IMAP,
    SERVICE_IMAP_TLS,
    SERVICE_COUNT,
};

enum resolve_outcome { RESOLVE_LOCAL, RESOLVE_UNKNOWN, RESOLVE_REMOTE, RESOLVE_LOCKED, RESOLVE_UNAVAILABLE };
enum login_outcome {
    LOGIN_OK,
    LOGIN_DENIED,
    LOGIN_LOCKED,      /* the account is locked */
    LOGIN_SCOPE,       /* the app password does not cover this service */
    LOGIN_UNAVAILABLE, /* try again later */
};
enum deliver_outcome { DELIVER_OK, DELIVER_LATER, DELIVER_REFUSED, DELIVER_TOO_LARGE, DELIVER_LOOP, DELIVER_FULL };
enum append_outcome { APPEND_OK, APPEND_FULL, APPEND_FAILED };

enum deliver_flag {
    DELIVER_TLS = 1,
    DELIVER_SUBMISSION = 2,
    DELIVER_UTF8 = 4,   /* SMTPUTF8 was asked for */
    DELIVER_BINARY = 8, /* BODY=BINARYMIME */
};

#define RECIPIENT_ROW_SIZE 40U /* account 8, public key 32 */
#define RECORD_KEY_SIZE 81U    /* version 1, crypto_box_seal of 32 bytes */
#define KEY_ROW_SIZE (8U + RECORD_KEY_SIZE)
/* A pending row: record 8, segment 8, offset of the sealed body 8, its length 8, arrival in microseconds since 1970 8,
 * the content key sealed to the account. */
#define PENDING_ROW_SIZE (40U + RECORD_KEY_SIZE)
