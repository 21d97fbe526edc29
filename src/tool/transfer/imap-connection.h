#pragma once

#include "tool/transfer/imap-response.h"
#include "tool/transfer/options.h"

/*
 * A connection to somebody else's IMAP server, as its client. Waits for each answer, two minutes at the most, or until
 * Ctrl-C. Faults are told here, once, and answered as 1.
 */
struct imap_connection;

/* What is to be connected to: imaps://USER@HOST[:PORT], or imap:// for STARTTLS. */
struct imap_url {
    char user[256];
    char host[256];
    char port[8];
    bool is_tls; /* from the start */
};
/* -EINVAL: it is none. */
MUST_USE int imap_url_read(const char *text, struct imap_url *ret_url);

/*
 * Connects, sets up TLS, and looks at the certificate. Without --insecure both must be in order. *ret_connection is to
 * be freed in any case.
 */
MUST_USE int imap_connect(const struct imap_url *url, bool insecure, struct imap_connection **ret_connection);
void imap_connection_free(struct imap_connection *connection);
SCOPE_OF(imap_connection)

bool imap_connection_is_tls(const struct imap_connection *connection);
/* As the server has told it last. */
bool imap_can(const struct imap_connection *connection, span_t capability);

/* Told of each untagged response; a result other than 0 ends the command. */
typedef int imap_untagged(void *arg, const struct imap_response *response);
/*
 * Does a command: sends `tag text`, takes what comes untagged, and the answer to it. *ret_response is that one, valid
 * until the next command: its word is OK, NO or BAD. on_untagged may be NULL.
 */
MUST_USE int imap_do(struct imap_connection *connection, span_t text, imap_untagged *on_untagged, void *arg,
                     struct imap_response *ret_response);
/* The same where the server asks for more: it is then given what next appends, without CRLF. */
typedef int imap_continue(void *arg, span_t challenge, struct buf *answer);
MUST_USE int imap_do_asked(struct imap_connection *connection, span_t text, imap_continue *next, void *arg,
                           struct imap_response *ret_response);

/* Logs in by the best way that the server offers (imap-login.c). */
MUST_USE int imap_login(struct imap_connection *connection, span_t user, span_t password);
