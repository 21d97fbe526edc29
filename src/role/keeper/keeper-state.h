#pragma once

#include "crypto/kdf.h"
#include "ipc/wiring.h"
#include "role/keeper/allowance.h"
#include "role/keeper/auth.h"
#include "role/keeper/domainkeys.h"
#include "role/keeper/greylist.h"
#include "role/keeper/spending.h"
#include "role/keeper/visitors.h"
#include "role/keeper/reports.h"
#include "rt/event.h"
#include "rt/task.h"
#include "rt/timer.h"

/* What the files of keeper share. */
struct keeper {
    struct loop *loop;
    struct wiring *wiring;
    const struct role_start *start;
    struct secret *directory_key;
    struct secret *queue_key;       /* private; for courier */
    struct secret *srs_key;         /* of the senders of mail that is sent on */
    uint8_t queue_public[KEY_SIZE]; /* outgoing mail is sealed to it */
    struct hasher *hasher;
    struct throttle *throttle;
    struct greylist *greylist;
    struct spending *spending;
    struct allowance *forwards; /* how much is sent on to an address, by keyed hashes */
    uint8_t forwards_key[16];
    struct pasts *pasts;     /* keeper-conduct.c */
    struct damages *damages; /* keeper-damage.c */
    struct visitors *visitors;
    struct timer *trust_timer;
    struct directory *directory;
    struct event begun; /* set once the directory is open */
    struct auth auth;
    struct task_group tasks;
    uint64_t logins;
    uint64_t refusals;
    uint64_t signatures;
    struct domainkeys_ready *signing;
    struct secret *reports_key; /* until reports.db is open */
    struct reports *reports;    /* NULL where it cannot be opened: then nothing is counted */
};

/* A request under way: freed at the end of its task. */
struct keeper_request {
    struct keeper *keeper;
    struct channel *channel;
    struct ipc_message *message;
};
typedef void keeper_handler(struct task *task, struct keeper *keeper, struct keeper_request *request);

/* keeper-login.c */
keeper_handler keeper_login;
keeper_handler keeper_scram_start;
keeper_handler keeper_scram_finish;
/* Asks for the account's session and gives it the secret and a client. *ret_fd: the client's end of its socket. */
struct keeper_handoff {
    enum ipc_service service;
    span_t prelude;
    span_t client;
};
MUST_USE int keeper_open_session(struct task *task, struct keeper *keeper, const struct auth_opened *opened,
                                 const struct keeper_handoff *handoff, int *ret_fd);
/* keeper-trust.c: the throttle, with what was kept of it; keeps it from then on, a minute late. */
MUST_USE int keeper_trust_begin(struct keeper *keeper);
void keeper_trust_keep(struct keeper *keeper); /* now; before the end */
/* keeper-dkim.c */
keeper_handler keeper_dkim_keys;
keeper_handler keeper_sign;
/* keeper-queue.c: gives courier the queue's key pair. */
keeper_handler keeper_queue_key;

/* keeper-limit.c */
MUST_USE int keeper_limit_begin(struct keeper *keeper);
struct spending_limits keeper_limit_defaults(const struct keeper *keeper); /* of accounts that have none of their own */
keeper_handler keeper_greylist;
keeper_handler keeper_spend;

/* keeper-visit.c */
keeper_handler keeper_visit;
void keeper_vouch(struct keeper *keeper, span_t client);
/* Counts a recipient of mail from outside, and answers what becomes of it: outcome, or RESOLVE_WAIT. */
MUST_USE int keeper_count_recipient(struct keeper *keeper, const struct ipc_resolve *resolve, int outcome);

/* keeper-reports.c */
void keeper_reports_begin(struct keeper *keeper);
keeper_handler keeper_tally;
keeper_handler keeper_report_next;
keeper_handler keeper_report_rows;
keeper_handler keeper_report_over;
/* keeper-received.c */
keeper_handler keeper_received;

/* keeper-forward.c: who gets mail for an address, and as whom it is sent on. */
void keeper_resolve(struct keeper *keeper, struct keeper_request *request);
keeper_handler keeper_forward;

/* keeper-conduct.c: an account that suddenly writes as its owner never did has its mail held (conduct.h). */
MUST_USE int keeper_conduct_begin(struct keeper *keeper);
void keeper_conduct_keep(struct keeper *keeper); /* now; before the end */
void keeper_conduct_end(struct keeper *keeper);
void keeper_conduct_sent(struct keeper *keeper, uint64_t account, span_t rows); /* rows of ipc/envelope.h */
void keeper_conduct_bounced(struct keeper *keeper, const struct ipc_bounced *bounced);
keeper_handler keeper_holds;
keeper_handler keeper_hold_change;

/* keeper-damage.c: what has turned out to be damaged, for `waxwing status`. */
MUST_USE int keeper_damage_begin(struct keeper *keeper);
void keeper_damage_end(struct keeper *keeper);
void keeper_damage_take(struct keeper *keeper, const struct ipc_account_damage *said);
void keeper_reports_damaged(struct keeper *keeper); /* has reports.db moved aside, and begun anew */
void keeper_damage_status(struct keeper *keeper, struct buf *json);
void keeper_damage_notes(struct keeper *keeper, struct buf *lines);

/* keeper-admin.c */
keeper_handler keeper_admin;

/* Answers the request; a channel that has gone is nobody's concern. Takes the reply's descriptors. */
void keeper_reply(struct keeper_request *request, struct ipc_message *reply);
