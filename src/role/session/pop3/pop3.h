#pragma once

#include "proto/pop3/engine.h"
#include "role/session/session.h"
#include "rt/stream.h"

/*
 * A POP3 connection of the account's owner, after login: INBOX as it was at that moment (RFC 1939 §4). Others may
 * change it meanwhile, by IMAP or by POP3: nothing is locked. A message that is gone cannot be fetched any more, and
 * deleting it changes nothing.
 *
 *   client.c    the connection and its loop     maildrop.c  the snapshot, and what becomes of it at the end
 *   send.c      a message to the client
 */
#define POP3_OUT_CHUNK 65536U   /* what is collected before it is sent */
#define POP3_OUT_MAX (2U << 20) /* more is never collected */
#define POP3_WRITE_MS 300000    /* for a client to take what it asked for */
#define POP3_REST_MS 2000       /* a client that is silent for longer does without the vault */
#define POP3_BAD_MAX 50U        /* refused commands in a row before the connection is ended */
#define POP3_HEADER_MAX 65536U  /* a longer header is sent as it is, UTF-8 or not */

/*
 * Takes the descriptor, always. prelude: what was agreed on before the login (proto/pop3/response.h). The client is
 * told where there are too many connections (-EMFILE).
 */
MUST_USE int pop3_start(struct session *session, int fd, span_t prelude);

/* --- inside --- */

struct pop3_client {
    struct session *session;
    struct stream *stream;
    struct buf input;
    struct buf out;
    struct pop3_reader reader;
    struct pop3_maildrop maildrop;
    struct pop3_engine engine;
    bool holds_vault; /* quiet.h: not while it is silent */
    bool is_over;
};

/* Sends what is in client->out, if it is much. Faults end the connection. */
MUST_USE int pop3_drain(struct task *task, struct pop3_client *client);

/* -ERR with what a fault of ours means to the client (RFC 3206 §4). */
void pop3_write_fault(struct buf *out, int fault);

/* maildrop.c. Opens it, with the newest mail in it. */
MUST_USE int pop3_open(struct task *task, struct session *session, struct pop3_maildrop *maildrop);
/* Carries out what QUIT asks for (RFC 1939 §6): deletes what is marked, and marks as \Seen what was fetched. Goes on
 * until that is done, cancelled or not, and lets others be served meanwhile. A fault: some of it is not deleted. */
MUST_USE int pop3_update(struct task *task, struct session *session, const struct pop3_maildrop *maildrop);
/* The end without QUIT: nothing is deleted, what was fetched is \Seen all the same. */
void pop3_leave(struct task *task, struct session *session, const struct pop3_maildrop *maildrop);

/* send.c. Answers RETR or TOP, and marks the message as shown once all of it has gone out. Only faults of the
 * connection, and those after which it cannot go on, come back. */
MUST_USE int pop3_send(struct task *task, struct pop3_client *client);
