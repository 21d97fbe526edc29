#pragma once

#include "base/buf.h"
#include "proto/sasl/exchange.h"
#include "role/gate/gate.h"

/*
 * What the gate asks of the keeper. All may suspend; where there is no keeper, or it does not answer, the outcome says
 * "unavailable". -ECANCELED is the only fault that comes back.
 */

/* Appends rows (ipc/row.h) to rows where the outcome is RESOLVE_LOCAL, or that of the queue where it is RESOLVE_REMOTE,
 * leaving out accounts that are there already; and to forwards, where the address is ours, whom its mail is sent on to
 * (ipc/envelope.h). RESOLVE_CROWDED: they do not fit. */
#define RESOLVE_CROWDED 100
MUST_USE int ask_resolve(struct task *task, struct gate *gate, const struct ipc_resolve *asked, struct buf *rows,
                         struct buf *forwards);

/* A client from outside is here: an enum visit_outcome; VISIT_WELCOME where nobody can be asked. */
MUST_USE int ask_visit(struct task *task, struct gate *gate, span_t client, bool *ret_known);

enum ask_may { ASK_MAY, ASK_MAY_NOT, ASK_MAY_UNKNOWN };
MUST_USE int ask_may_send(struct task *task, struct gate *gate, uint64_t account, span_t address);

/* A login under way, and what came of it. */
struct login {
    struct connection *connection;
    span_t prelude;
    uint64_t scram; /* keeper's handle */
    uint64_t account;
    struct buf address; /* the account's */
    int session_fd;     /* -1 until there is one */
    struct buf answer;  /* SCRAM: what goes to the client next */
};
void login_init(struct login *login, struct connection *connection, span_t prelude);
void login_deinit(struct login *login);

/* Each answers an enum login_outcome. */
MUST_USE int ask_login(struct task *task, struct login *login, span_t user, span_t password);
MUST_USE int ask_scram_start(struct task *task, struct login *login, const struct sasl_exchange *sasl);
MUST_USE int ask_scram_finish(struct task *task, struct login *login, const struct sasl_exchange *sasl);

/*
 * sasl.c: a whole exchange, from the step that sasl_exchange_start() answered. Where the client has to say something,
 * exchange sends it sasl->challenge and feeds its answer to sasl. Answers an enum login_outcome, a fault, or:
 */
#define LOGIN_CANCELLED 100 /* by the client */
#define LOGIN_MALFORMED 101
typedef int login_exchange(struct task *task, void *arg, enum sasl_step *ret_step);
MUST_USE int ask_sasl(struct task *task, struct login *login, struct sasl_exchange *sasl, enum sasl_step step,
                      login_exchange *exchange, void *arg);
