#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "crypto/recordkey.h"
#include "ipc/wiring.h"
#include "role/start.h"
#include "rt/task.h"
#include "rt/timer.h"
#include "vault/vault.h"

/*
 * One account, unlocked: its vault, and all its connections. Comes to life with the first client, who brings the
 * account's root secret, and ends a while after the last one has gone ([session] linger), the keys wiped.
 *
 *   session.c   this: wiring, attaching clients, the end      client.c    a connection and its loop
 *   takein.c    what has arrived, into the vault              wire.c      its bytes, compressed or not
 *   append.c    a client's message (append-together.c: many)  view.c      a selected mailbox as one connection sees it
 *   release.c   records nobody needs any more                 uids.c      its UIDs
 *   index.c     what the vault keeps of a message             message.c   reading messages from the log
 *   indexer.c   words into the index (words.c: which)         segments.c  descriptors of the log's segments
 *   sortkey.c   what a message is sorted by                   sorter.c    the same for what was filed without it
 *   quota.c     whether all it may hold is there              flags.c     flags as text
 *   teach.c     what is junk and what is not, for rspamd      damage.c    keeper hears of damage
 *   quiet.c     little memory while nobody does anything      notices.c   what happened to names and the like
 *   imap/       the commands, a file for each group           pop3/       a POP3 connection, all of it
 *   service/    the owner's commands at the command line
 *
 * Returns the exit status of the process.
 */
int session_run(const struct role_start *start);

/* In the process that will fork sessions: sets up the libraries they use, so that they share the memory of that. */
MUST_USE int session_prepare(void);

/* --- inside the session --- */

#define SESSION_ADDRESS_MAX 1024U
#define SESSION_CALL_MS 60000 /* for store to answer */

struct session {
    const struct role_start *start;
    const struct conf *conf;
    struct loop *loop;
    struct wiring *wiring;
    struct vault *vault;      /* NULL until the first client is attached, and while all is quiet (quiet.h) */
    struct secret *vault_key; /* NULL until the first client is attached */
    uint8_t public_key[KEY_SIZE];
    struct record_receiver *receiver;
    uint64_t quota;      /* bytes; 0: none */
    int said_full;       /* quota.c: what keeper was told last; -1: nothing yet */
    uint64_t damage;     /* damage.c: times since keeper was told … */
    int64_t damage_said; /* … on the loop's clock; 0: never */
    char address[SESSION_ADDRESS_MAX + 1];
    struct map *segments; /* segments.c */
    struct list clients;
    size_t client_count; /* POP3 and services included */
    size_t pop3_count;
    size_t service_count;
    size_t parked;           /* clients that have no task, as they are silent */
    size_t held;             /* quiet.c: reasons to keep the vault open */
    struct timer *quiet;     /* quiet.c: until the vault is closed */
    uint64_t changes;        /* calls of session_changed() */
    struct notices *notices; /* notices.c; NULL while nobody listens */
    uint64_t notice_count;   /* that there were */
    struct task_group tasks;
    struct timer *linger;
    int64_t alone_since; /* when the last client left, on the loop's clock */
    bool is_ending;
    uint64_t attached;         /* attach messages so far: what `leave` says */
    struct event arrived;      /* takein.c: something is pending, or to be said taken */
    struct event current;      /* takein.c: the newest batch of what has arrived is filed */
    struct event hurry;        /* takein.c: a client waits for the newest batch */
    unsigned announced;        /* takein.c: times something arrived since the last batch */
    struct event freed;        /* release.c: the outbox has something, or will */
    bool is_forgetting;        /* release.c: what was expunged */
    struct event unindexed;    /* indexer.c: mail came or went */
    struct teaching *teaching; /* teach.c; NULL where nobody is to learn */
    bool is_teaching;          /* teach.c: it is about to, or does */
    bool is_indexing;          /* indexer.c: it is about to work, or does */
    unsigned index_waiters;    /* service/reindex.c: somebody waits for it, so it does not wait for a quiet moment */
    struct map *filing; /* append.h: records that are stored, and about to be filed by who had them stored; or NULL */
    size_t together;    /* append.h: groups of records on their way */
    struct sort_memo *sorted; /* imap/sort-memo.c, or NULL */
    uint64_t *taken;          /* records in the vault that store has not been told of */
    size_t taken_count;
    size_t taken_room;
    uint64_t taken_in;
};

/* The channel to store, or NULL: then say NO [UNAVAILABLE]. */
struct channel *session_store(struct session *session);

/* A connection has gone, and client_count no longer has it: without any, the account closes some time after. */
void session_client_gone(struct session *session);

/* quota.c: tells keeper when the account begins to be full, and when it ends. */
void quota_report(struct session *session);
void quota_change(struct session *session, uint64_t quota); /* the operator's word */

/* damage.c: something of the account's mail could not be read, or (a check has shown) all of it can. Keeper is told,
 * for `waxwing status`. */
void damage_note(struct session *session);
void damage_none(struct session *session);

/* To be called after every commit that others may see: wakes the connections that wait in IDLE, and the outbox. */
void session_changed(struct session *session);

int64_t session_now(void); /* microseconds since 1970 */
uint32_t session_now_seconds(void);
