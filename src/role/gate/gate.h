#pragma once

#include <stdbool.h>

#include "base/map.h"
#include "conf/conf.h"
#include "ipc/filterrow.h"
#include "ipc/wiring.h"
#include "proto/sasl/plain.h"
#include "role/start.h"
#include "rt/event.h"
#include "rt/stream.h"
#include "rt/task.h"

/*
 * The gate: speaks TLS and the pre-login part of every protocol with strangers; after login it only moves bytes. It
 * holds no mail and no key but its TLS key, and opens no file once confined.
 *
 *   gate.c        start, confinement, listeners           accept.c   new connections, and limits on them
 *   smtp.c        an SMTP connection                      body.c     a message on its way to intake
 *   imap.c        an IMAP connection up to its login      pop3.c     a POP3 connection up to its login
 *   splice.c      either, after it, and back to IMAP      dialog.c   what the two have in common
 *   ask.c         what is asked of the keeper             sasl.c     a SASL exchange with the client and the keeper
 *   http.c        an HTTPS request                      site.c     the pages there are
 *   outsider.c    what clients from outside go through
 */
int gate_run(const struct role_start *start);

/* --- inside the gate --- */

struct gate {
    const struct role_start *start;
    const struct conf *conf;
    struct loop *loop;
    struct wiring *wiring;
    struct event wired;    /* pulsed whenever a peer has come */
    struct event confined; /* set once there is TLS, and no file system any more */
    struct tls_server *tls;
    struct task_group listeners;
    struct map *addresses; /* connections of each client address, by its hash */
    struct list splices;
    uint8_t hash_key[16];
    size_t connections;
    bool is_draining; /* it accepts no more, and ends with its last connection */
    uint64_t accepted;
    uint64_t refused;
    uint64_t messages;
    struct filter_row turns; /* outsider.c: of clients that spoke before it was their turn */
    struct filter_row names; /* of what clients call themselves */
    struct filter_row rates; /* of how much comes from a network */
};

#define GATE_ADDRESS_MAX 64U
#define GATE_SAY_MS 10000    /* for a last word */
#define GATE_REQUEST_S 60U   /* for an HTTPS connection, in all */
#define GATE_HANDSHAKE_S 30U /* for a TLS handshake, at the most */
#define GATE_CALL_MS 60000   /* for a room to answer */

/* A connection of a stranger; owned by its task, later by its splice. */
struct connection {
    struct gate *gate;
    enum ipc_service service;
    unsigned refusals; /* of IMAP commands before a login, however many of those there were */
    struct stream *stream;
    int64_t deadline; /* when it ends at the latest, on the loop's clock */
    uint64_t counted; /* its key in gate->addresses */
    char address[GATE_ADDRESS_MAX];
};

/* accept.c */
MUST_USE int gate_listen(struct gate *gate, enum ipc_service service, int fd); /* takes fd, always */
void connection_free(struct connection *connection);
SCOPE_OF(connection)

enum gate_protocol { GATE_SMTP, GATE_IMAP, GATE_POP3, GATE_HTTP };
enum gate_protocol service_protocol(enum ipc_service service);
bool service_is_tls(enum ipc_service service);       /* from the first byte */
bool service_has_sessions(enum ipc_service service); /* after login, the client speaks with its account's session */
/* How long a logged-in client of such a service may say nothing, in milliseconds. */
int64_t service_idle_ms(const struct gate *gate, enum ipc_service service);

/* How long to wait for the client now: so many seconds, but not beyond the connection's end. */
int64_t connection_patience(const struct connection *connection, uint64_t seconds);

/* TLS from here on; what was read in clear before must have been refused. Logs what goes wrong. */
MUST_USE int connection_start_tls(struct task *task, struct connection *connection);
/* The last word where the gate is being stopped, as far as it can be said at once. */
void connection_say_stopping(const struct connection *connection);
bool connection_can_bind(const struct connection *connection);
/* From now on it has as long to log in as a new one. */
void connection_await_login(struct connection *connection);

/* What the settings say of SCRAM, and whether this connection takes a mechanism where it is asked for by name. */
enum sasl_scram gate_scram(const struct gate *gate);
bool connection_takes(const struct connection *connection, enum sasl_mechanism mechanism);

/* Whether these first bytes of a connection in clear are a TLS handshake (RFC 8446 §5.1). */
bool looks_like_tls(span_t input);

/* http.c */
void http_serve(struct task *task, struct connection *connection);
/* smtp.c */
void smtp_serve(struct task *task, struct connection *connection);
/* imap.c, pop3.c; they take the connection where the client logs in (*connection is NULL then). */
void imap_serve(struct task *task, struct connection **connection);
void pop3_serve(struct task *task, struct connection **connection);
/* Likewise for a client who was logged in, without a greeting (RFC 8437 §3). early: what the client has said since,
 * which goes before all that is still to be read; used up. */
void imap_serve_again(struct task *task, struct connection **connection, struct buf *early);
/*
 * splice.c: takes both, always. absent: what the client is told, CRLF included, where the session ends without a word;
 * first: what the client has sent after its login already.
 *
 * An IMAP session may give its client back (RFC 8437 §3): a mark (rt/stream.h) behind its last answer, all that it
 * reads from the client after that up to the end, unread, and a mark behind it. The gate stops giving it more at the
 * first mark. Without the second one, something is missing and the connection ends.
 */
#define SPLICE_ABSENT_MAX 320U
#define SPLICE_RETURN_MAX (1U << 20) /* more than the buffers and sockets on the way hold */
MUST_USE int splice_start(struct connection *connection, int session_fd, span_t absent, span_t first);
void splice_end_all(struct gate *gate); /* with a last word to whom nothing is being said at the moment */
