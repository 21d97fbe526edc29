#pragma once

#include <stddef.h>
#include <stdint.h>

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
    ROLE_COURIER,
    ROLE_COUNT,
};

/* What a listener serves. The _TLS ones start with a handshake (RFC 8314). */
enum ipc_service {
    SERVICE_SMTP,
    SERVICE_SUBMISSION,
    SERVICE_SUBMISSION_TLS,
    SERVICE_IMAP,
    SERVICE_IMAP_TLS,
    SERVICE_POP3,
    SERVICE_POP3_TLS,
    SERVICE_HTTPS,
    SERVICE_COUNT,
    /* None of these: an account's owner at the command line, over a socket of his own (ipc/frame.h). */
    SERVICE_TOOL = SERVICE_COUNT,
};

enum resolve_outcome {
    RESOLVE_LOCAL,
    RESOLVE_UNKNOWN,
    RESOLVE_REMOTE,
    RESOLVE_LOCKED,
    RESOLVE_FULL, /* every account behind it holds as much as its quota allows */
    RESOLVE_WAIT, /* so much has come from the client's network that it is to come again later */
    RESOLVE_UNAVAILABLE
};
enum forward_outcome {
    FORWARD_OK,
    FORWARD_WAIT, /* one of them has been sent as much as one may be in an hour */
    FORWARD_UNAVAILABLE,
};
enum login_outcome {
    LOGIN_OK,
    LOGIN_DENIED,
    LOGIN_LOCKED,      /* the account is locked */
    LOGIN_SCOPE,       /* the app password does not cover this service */
    LOGIN_UNAVAILABLE, /* try again later */
};
enum deliver_outcome {
    DELIVER_OK,
    DELIVER_LATER,
    DELIVER_REFUSED,
    DELIVER_TOO_LARGE,
    DELIVER_LOOP,
    DELIVER_FULL,
    DELIVER_WAIT,       /* the client is to come again, for a reason of policy */
    DELIVER_UNREADABLE, /* it is for an address that takes reports, and is none */
};
/* Whether an account may send a message to people elsewhere. */
enum spend_outcome {
    SPEND_OK,
    SPEND_RECIPIENTS, /* not now: an hour would hold more recipients than it may write to */
    SPEND_MESSAGES,   /* not now: more messages than it may send */
    SPEND_BEYOND,     /* never: one message to more recipients than an hour may have */
};
/* Why the mail of an account to others is held, and what becomes of that. */
enum hold_why {
    HOLD_BY_OPERATOR,
    HOLD_STRANGERS, /* it suddenly writes to many whom it never wrote to */
    HOLD_BOUNCES,   /* many of its recipients are suddenly refused */
    HOLD_WHY_COUNT,
};
enum hold_change {
    HOLD_BEGIN,   /* by the operator */
    HOLD_END,     /* all is sent: it was the owner's doing */
    HOLD_REMOVED, /* what was held is removed: it was not; the hold goes on */
    HOLD_TOLD,    /* the owner and the operator know */
    HOLD_CHANGE_COUNT,
};
enum visit_outcome { VISIT_WELCOME, VISIT_WAIT };
enum append_outcome { APPEND_OK, APPEND_FULL, APPEND_FAILED };

enum deliver_flag {
    DELIVER_TLS = 1,
    DELIVER_SUBMISSION = 2,
    DELIVER_UTF8 = 4,   /* SMTPUTF8 was asked for */
    DELIVER_BINARY = 8, /* BODY=BINARYMIME */
    DELIVER_8BIT = 16,  /* BODY=8BITMIME */
    DELIVER_RETURN_FULL = 32,
    DELIVER_RETURN_HEADERS = 64,
    DELIVER_REQUIRE_TLS = 128,
    DELIVER_REPORT = 256, /* from courier: complete as it is, and judged already: above all, a report of our own */
    DELIVER_TLS_OPTIONAL = 512, /* of such a report, where TLS may fail */
    DELIVER_OUT_OF_TURN = 1024, /* the client spoke before it was its turn */
    DELIVER_BAD_HELO = 2048,    /* what it calls itself is not its name */
    DELIVER_SEVENBIT = 4096,    /* from courier: into the queue anew, converted, for a server that takes no more */
};

/* What stands for an account where it is the queue of outgoing mail: the account of no person. Its public key comes
 * with every RESOLVE_REMOTE; its records are envelope and message (ipc/envelope.h), and courier's notes on them. */
#define QUEUE_ACCOUNT UINT64_MAX

/* What stands for an account where mail is a report on a domain of ours, which is read and not kept ([reports]
 * address). It has no key. */
#define REPORTS_ACCOUNT (UINT64_MAX - 1)

#define RECIPIENT_ROW_SIZE 40U /* account 8, public key 32 */
#define RECORD_KEY_SIZE 81U    /* crypto/recordkey.h */
#define KEY_ROW_SIZE (8U + RECORD_KEY_SIZE)
/* A pending row: record 8, segment 8, offset of the sealed body 8, its length 8, arrival in microseconds since 1970 8,
 * the content key sealed to the account. */
#define PENDING_ROW_SIZE (40U + RECORD_KEY_SIZE)

struct recipient_row {
    uint64_t account;
    const uint8_t *public_key; /* RECIPIENT_ROW_SIZE - 8 bytes */
};
struct key_row {
    uint64_t account;
    const uint8_t *sealed_key; /* RECORD_KEY_SIZE bytes */
};
struct pending_row {
    uint64_t record;
    uint64_t segment;
    uint64_t offset;
    uint64_t length;
    uint64_t arrival;
    const uint8_t *sealed_key; /* RECORD_KEY_SIZE bytes */
};

/* Rows read point into the bytes given; rows written fill exactly their size. */
void recipient_row_get(const uint8_t at[RECIPIENT_ROW_SIZE], struct recipient_row *ret_row);
void recipient_row_put(uint8_t at[RECIPIENT_ROW_SIZE], const struct recipient_row *row);
void key_row_get(const uint8_t at[KEY_ROW_SIZE], struct key_row *ret_row);
void key_row_put(uint8_t at[KEY_ROW_SIZE], const struct key_row *row);
void pending_row_get(const uint8_t at[PENDING_ROW_SIZE], struct pending_row *ret_row);
void pending_row_put(uint8_t at[PENDING_ROW_SIZE], const struct pending_row *row);
