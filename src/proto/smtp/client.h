#pragma once

#include "base/buf.h"
#include "proto/smtp/command.h"
#include "proto/smtp/response.h"

/*
 * The client's side of SMTP (RFC 5321), pure: lines of the server in, commands and things to do out; no socket, no
 * clock. After every step the caller sends what is in the buffer, and then does as the answer says.
 */
enum smtp_client_step {
    SMTP_CLIENT_READ,    /* feed the next line: smtp_client_line */
    SMTP_CLIENT_TLS,     /* shake hands, with nothing read beyond the last line (RFC 3207 §4.2): smtp_client_tls */
    SMTP_CLIENT_READY,   /* smtp_client_send, or smtp_client_quit */
    SMTP_CLIENT_CONTENT, /* send the message, dots doubled, and the dot at its end: smtp_client_content */
    SMTP_CLIENT_CHUNK,   /* send the message, byte for byte: smtp_client_content */
    SMTP_CLIENT_NOTHING, /* send the dot alone, as nobody was accepted: smtp_client_content */
    SMTP_CLIENT_SENT,    /* the transaction is over: every recipient has its outcome; then as READY */
    SMTP_CLIENT_CLOSED,  /* close; client->failure says why where that is not asked for */
};

enum smtp_client_extension {
    SMTP_EXT_PIPELINING = 1,
    SMTP_EXT_8BITMIME = 2,
    SMTP_EXT_SMTPUTF8 = 4,
    SMTP_EXT_SIZE = 8,
    SMTP_EXT_DSN = 16,
    SMTP_EXT_STARTTLS = 32,
    SMTP_EXT_AUTH_PLAIN = 64,
    SMTP_EXT_AUTH_LOGIN = 128,
    SMTP_EXT_REQUIRETLS = 256,
    SMTP_EXT_CHUNKING = 512,
    SMTP_EXT_BINARYMIME = 1024,
};

enum smtp_client_demand { SMTP_CLIENT_TLS_MAY, SMTP_CLIENT_TLS_MUST, SMTP_CLIENT_TLS_NEVER };

struct smtp_client_settings {
    span_t hostname; /* ours */
    enum smtp_client_demand tls;
    span_t user; /* empty: no login */
    span_t password;
};

enum smtp_client_outcome {
    SMTP_CLIENT_OPEN,      /* nothing is known */
    SMTP_CLIENT_DELIVERED, /* the server has taken it over (RFC 5321 §4.2.5) */
    SMTP_CLIENT_DEFERRED,
    SMTP_CLIENT_REFUSED,
};

/* Addresses and orcpt are lent until the transaction is over. */
struct smtp_client_recipient {
    span_t address;
    span_t orcpt;
    unsigned notify; /* SMTP_NOTIFY_…, 0: as usual */
    enum smtp_client_outcome outcome;
    struct smtp_response response;
};

struct smtp_client_mail {
    span_t sender; /* empty for <> */
    span_t envid;
    enum smtp_return ret;
    uint64_t size;
    bool is_8bit;
    bool is_binary; /* it goes in one chunk */
    bool is_utf8;
    bool require_tls;
    struct smtp_client_recipient *recipients;
    size_t count;
};

struct smtp_client {
    struct smtp_client_settings settings;
    enum smtp_client_state {
        SMTP_CLIENT_AT_GREETING,
        SMTP_CLIENT_AT_EHLO,
        SMTP_CLIENT_AT_HELO,
        SMTP_CLIENT_AT_STARTTLS,
        SMTP_CLIENT_AT_HANDSHAKE,
        SMTP_CLIENT_AT_PLAIN,
        SMTP_CLIENT_AT_LOGIN_USER,
        SMTP_CLIENT_AT_LOGIN_PASSWORD,
        SMTP_CLIENT_AT_LOGIN_END,
        SMTP_CLIENT_AT_REST,
        SMTP_CLIENT_AT_COMMANDS, /* of a transaction */
        SMTP_CLIENT_AT_CONTENT,
        SMTP_CLIENT_AT_END, /* the answer to the message */
        SMTP_CLIENT_AT_QUIT,
        SMTP_CLIENT_ENDED,
    } state;
    bool is_tls;
    unsigned extensions;
    uint64_t size_max;             /* of SIZE; 0: not said */
    struct smtp_response response; /* being read */
    struct smtp_response failure;  /* why it closed */
    bool has_failed;
    struct smtp_client_mail mail;
    size_t sent; /* commands of the transaction: RSET, MAIL, one RCPT each, DATA */
    size_t answered;
    size_t accepted; /* recipients */
    bool needs_reset;
};

void smtp_client_init(struct smtp_client *client, const struct smtp_client_settings *settings);

/* One line of the server, CRLF included. */
MUST_USE enum smtp_client_step smtp_client_line(struct smtp_client *client, span_t line, struct buf *commands);
MUST_USE enum smtp_client_step smtp_client_tls(struct smtp_client *client, struct buf *commands);
/* The connection was under TLS from its start. */
void smtp_client_is_tls(struct smtp_client *client);

/* What of the message this server cannot take, or NULL: with *ret_status an enhanced code for it. */
const char *smtp_client_lacks(const struct smtp_client *client, const struct smtp_client_mail *mail,
                              const char **ret_status);

/* Whether it would take the message if that came in seven bits (mime/sevenbit.h). */
bool smtp_client_wants_less(const struct smtp_client *client, const struct smtp_client_mail *mail);

/* Starts a transaction; mail is copied, its recipients stay the caller's. */
MUST_USE enum smtp_client_step smtp_client_send(struct smtp_client *client, const struct smtp_client_mail *mail,
                                                struct buf *commands);
MUST_USE enum smtp_client_step smtp_client_content(struct smtp_client *client);
MUST_USE enum smtp_client_step smtp_client_quit(struct smtp_client *client, struct buf *commands);
