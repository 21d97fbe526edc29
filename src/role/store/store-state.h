#pragma once

#include "base/map.h"
#include "crypto/secret.h"
#include "ipc/wiring.h"
#include "role/start.h"
#include "role/store/journal.h"
#include "rt/task.h"

/* What store.c (life), receive.c (appends), answer.c (a session's questions) and announce.c share. */
struct store {
    const struct role_start *start;
    struct loop *loop;
    struct wiring *wiring;
    struct journal *journal;
    int folder;          /* of the log; -1 before begin */
    struct secret *key;  /* of the heads in the log */
    uint64_t damaged;    /* in the log, as far as it was reported */
    struct event broken; /* mend.c: the journal has a fault */
    struct task_group tasks;
    struct event work; /* something is queued for the next group */
    struct event room; /* pulsed when a body is done with */
    uint64_t held;     /* bytes of bodies in memory */
    uint64_t held_max;
    int64_t sync_delay;   /* milliseconds a group waits for others */
    struct map *sessions; /* account to struct store_session */
    struct list to_announce;
    bool courier_hears; /* the queue is to be announced, too */
};

/* The channel of one account's session. */
struct store_session {
    struct list_link announcing;
    uint64_t account;
    struct channel *channel;
};

#define STORE_HELD_MIN                                                                                                 \
    (UINT64_C(256) << 20)      /* memory for bodies in flight; twice the largest message where that is more */
#define STORE_ROOM_WAIT 30000  /* milliseconds an append waits for memory before it is told to come later */
#define STORE_BODY_WAIT 300000 /* milliseconds without a byte of a body */

/* receive.c: takes the message. */
void store_receive(struct store *store, struct channel *channel, struct ipc_message *message);
/* Commits groups as long as it is not cancelled. */
void store_commit_task(struct task *task, void *arg);

/* mend.c: to be called after whatever may have failed in the journal. Nothing is appended to a log that has a fault;
 * the task opens it anew until that succeeds, and what was acknowledged is there then. */
void store_look(struct store *store);
void store_mend_task(struct task *task, void *arg);
MUST_USE int store_open_journal(const struct store *store, struct journal **ret_journal);

/* answer.c: whose records the channel of a session, or of courier, is about. */
uint64_t store_account_of(const struct channel *channel);
/* Takes the message, which came over the channel of an account's session, or of courier. */
void store_answer(struct store *store, struct channel *channel, struct ipc_message *message);

/* announce.c */
void store_session_new(struct store *store, uint64_t account, int fd); /* takes the descriptor */
void store_sessions_free(struct store *store);
/* Notes who has to hear of a new record, but for the session it came from (0: none). */
void store_announce_note(struct store *store, span_t recipients, uint64_t from);
void store_announce_send(struct store *store);
