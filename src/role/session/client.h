#pragma once

#include "base/list.h"
#include "proto/imap/command.h"
#include "proto/imap/reader.h"
#include "role/session/session.h"
#include "role/session/view.h"
#include "rt/stream.h"

/*
 * A connection of the account's owner, after login. Its task reads commands and answers them, one after the other. A
 * client that has been silent for CLIENT_PARK_MS, in IDLE or not, has no task: a watch on its socket starts the next.
 */
#define CLIENT_PARK_MS 2000
#define CLIENT_OUT_CHUNK 65536U     /* what is collected before it is sent */
#define CLIENT_OUT_MAX (64U << 20)  /* one response line; what is larger is streamed */
#define CLIENT_ARENA_MAX (8U << 20) /* one command, parsed */
#define CLIENT_WRITE_MS 300000      /* for a client to take what it asked for */
#define CLIENT_BAD_MAX 50U          /* refused commands in a row before the connection is ended */

struct client {
    struct list_link link;
    struct session *session;
    struct stream *stream;
    struct imap_deflate *deflate;      /* of a compressed connection (wire.h), or NULL */
    struct imap_deflate *deflate_next; /* once the answer that begins it has gone out */
    struct buf input;
    struct buf out;
    struct imap_reader reader;
    struct view *view;         /* the selected mailbox, or NULL */
    struct contexts *contexts; /* searches of it that are kept up to date (imap/context.h), or NULL */
    struct notify *notify;     /* what the client wants to be told of at any time (imap/notify.h), or NULL */
    struct imap_range made;    /* UIDs that the command at hand gave to messages in the selected mailbox, or 0 */
    char *tag;                 /* of the login, until it is answered; then of the IDLE that is under way, or NULL */
    struct timer *patience;    /* while parked, up to the deadline */
    int64_t deadline;
    uint64_t heard; /* session->changes when it was last told of them */
    bool greeted;
    bool followed;            /* more has come behind the command at hand */
    unsigned enabled;         /* enum imap_enable, but for CONDSTORE */
    struct imap_range *saved; /* UIDs of the last result that was saved, rising (RFC 5182 §2.1) */
    size_t saved_count;
    struct fetch_memo *memo; /* imap/body.c: where the part is that was last fetched by pieces, or NULL */
    bool condstore;          /* RFC 7162 §3.1: MODSEQ is told from now on */
    bool idling;             /* it is told at once: it waits in IDLE, or NOTIFY is in effect and no command under way */
    bool telling;            /* a task is at it */
    bool parked;
    bool is_late; /* silent for too long */
    bool logged_out;
    bool given_back; /* it is, to the gate, with all it says from here on */
    unsigned bad;
    struct task_group tellers;
};

/* Takes the descriptor, always. prelude: the tag of the login command, which is answered. */
MUST_USE int client_start(struct session *session, int fd, span_t prelude);

/* Something has changed: where the client waits for that, it is told. Never suspends. */
void client_notify(struct client *client);

/* Sends what is in client->out, if it is much (or in any case, and all the way). Faults end the connection. */
MUST_USE int client_drain(struct task *task, struct client *client);
MUST_USE int client_flush(struct task *task, struct client *client);

/* Tells what has changed in the view; drains. VIEW_GONE: the mailbox was deleted, BYE has been written. */
MUST_USE int client_tell(struct task *task, struct client *client, struct view_format format);

/* What its commands may be now. */
enum imap_state client_state(const struct client *client);

/* No mailbox is selected any more. */
void client_leave(struct client *client);

/* At the end of the session: frees those that are parked. The others are ended by their tasks. */
void client_end_parked(struct session *session);
