#pragma once

#include "base/list.h"
#include "ipc/row.h"
#include "role/keeper/directory.h"
#include "role/keeper/hasher.h"
#include "role/keeper/throttle.h"

/*
 * Logins. Whether the user exists, is locked, or the password is of the wrong kind costs the same and looks the same
 * from outside, until the right password was shown.
 */
struct auth {
    struct directory *directory;
    struct hasher *hasher;
    struct throttle *throttle;
    struct password_params defaults; /* memory and passes of passwords set from now on */
    uint8_t fake_key[32];            /* for what unknown users are shown */
    struct list exchanges;           /* SCRAM exchanges between challenge and answer, oldest first */
    unsigned exchange_count;
};

void auth_init(struct auth *auth, struct directory *directory, struct hasher *hasher, struct throttle *throttle);
void auth_deinit(struct auth *auth); /* drops the exchanges; the rest is the owner's */

struct auth_attempt {
    enum ipc_service service;
    span_t client;
    span_t user;
    span_t password;
};

struct auth_opened {
    struct account account;
    struct secret *root; /* freed by the caller */
};

/* An enum login_outcome or a fault. */
MUST_USE int auth_password(struct task *task, struct auth *auth, const struct auth_attempt *attempt,
                           struct auth_opened *ret_opened);

/* The chosen password of an account, tried by its administrator: LOGIN_OK, LOGIN_DENIED, LOGIN_UNAVAILABLE or a fault.
 * One that fits and was hashed more cheaply than is asked for today is hashed anew. */
MUST_USE int auth_chosen_password(struct task *task, struct auth *auth, const struct account *account, span_t password,
                                  struct secret **ret_root);

/* The account's owner, tried by its administrator: the chosen password, or an app password for the service. No
 * throttle. An enum login_outcome or a fault. */
MUST_USE int auth_owner(struct task *task, struct auth *auth, const struct account *account,
                        const struct auth_attempt *attempt, struct secret **ret_root);

/* --- SCRAM (RFC 5802) --- */
#define AUTH_EXCHANGES_MAX 1024U
#define AUTH_EXCHANGE_TIMEOUT 60000 /* milliseconds */

struct auth_scram {
    enum ipc_service service;
    bool plus; /* the -PLUS mechanism was chosen */
    span_t client;
    span_t first;
    span_t binding_type; /* what this connection could be bound with; empty without TLS */
    span_t binding;
    span_t prelude;
};

struct auth_exchange {
    struct list_link link;
    uint64_t handle;
    int64_t until;
    enum ipc_service service;
    bool known;
    bool bound;
    struct account account;
    struct buf user; /* as the throttle knows it */
    struct buf client;
    struct buf bare;
    struct buf gs2_header;
    struct buf binding;
    struct buf server_first;
    struct buf prelude;
};

/* LOGIN_OK with an exchange to go on with (which stays auth's), LOGIN_DENIED for a bad message, or a fault. */
MUST_USE int auth_scram_start(struct auth *auth, int64_t now, const struct auth_scram *scram,
                              const struct auth_exchange **ret_exchange);
/* The exchange, now the caller's; NULL where there is none such, or no more. */
struct auth_exchange *auth_scram_take(struct auth *auth, int64_t now, uint64_t handle);
void auth_exchange_free(struct auth_exchange *exchange);
/* An enum login_outcome or a fault; *server_final gets the last message (RFC 5802 §7), "e=…" on a refusal. */
MUST_USE int auth_scram_finish(struct task *task, struct auth *auth, const struct auth_exchange *exchange,
                               span_t client_final, struct buf *server_final, struct auth_opened *ret_opened);

/* --- for the files of this folder --- */

/* The account a user means, and the one form in which the throttle knows him. DIRECTORY_OK or DIRECTORY_NONE. */
MUST_USE int auth_find(struct auth *auth, span_t user, struct account *ret_account, struct buf *key);
/* Waits as long as the throttle says: LOGIN_OK, LOGIN_UNAVAILABLE, -ECANCELED. */
MUST_USE int auth_wait(struct task *task, struct auth *auth, span_t user_key, span_t client);
/* Counts the outcome, and notes the use of the credential that fitted. attempt->user: as the throttle
 * knows it. Passes the
 * outcome on. */
MUST_USE int auth_settle(struct task *task, struct auth *auth, const struct auth_attempt *attempt,
                         const struct credential *credential, int outcome);
/* What a credential that fits gets: LOGIN_OK, LOGIN_LOCKED or LOGIN_SCOPE. */
int auth_judge(const struct account *account, const struct credential *credential, enum ipc_service service);

SCOPE_OF(auth_exchange)
