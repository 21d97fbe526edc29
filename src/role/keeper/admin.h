#pragma once

#include "role/keeper/auth.h"
#include "role/keeper/reports.h"

/*
 * The administrator's commands: `domain`, `account`, `app-password`, `address`, `forward`, `reports`; and those of an
 * account's owner, which its session does: `check`. One row each in admin.c.
 */
#define ADMIN_OUTPUT_MAX 98304U
#define ADMIN_PAGE 65536U    /* a list stops at the first row beyond it */
#define ADMIN_NEXT_MAX 1024U /* where the next page starts */
#define ADMIN_ERROR_MAX 1024U
#define ADMIN_WORDS_MAX 128U

enum admin_status { ADMIN_DONE = 0, ADMIN_FAILED = 1, ADMIN_USAGE = 2 };

/* An account's session has to end: a credential is dead or the account locked, or it was removed with all it had. */
enum admin_gone { ADMIN_ENDED, ADMIN_DESTROYED };
typedef void admin_gone_function(void *arg, uint64_t account, enum admin_gone how);

/* The account's quota is another from now on. */
typedef void admin_quota_function(void *arg, uint64_t account, uint64_t quota);

/* Opens the account's session and has it do a command (ipc/frame.h); *ret_fd is the tool's end of the socket. */
typedef int admin_open_function(void *arg, struct task *task, const struct auth_opened *opened, span_t command,
                                int *ret_fd);

struct admin {
    struct auth *auth;
    struct reports *reports;         /* or NULL */
    const struct spending *spending; /* or NULL */
    struct spending_limits limits;   /* of accounts that have none of their own */
    admin_gone_function *gone;
    admin_quota_function *quota;
    void *arg;
    admin_open_function *open;
    span_t after; /* what the page before said as `next`; empty for the first page and for what is no list */
};

struct admin_reply {
    enum admin_status status;
    struct buf output;
    struct buf error; /* one line, without its end */
    struct buf next;  /* of a list: where its next page starts; empty: this was the last */
    int fd;           /* where the session goes on with the command, or -1 */
};

void admin_reply_init(struct admin_reply *reply);
void admin_reply_deinit(struct admin_reply *reply); /* wipes: passwords and codes stand in it */

/* words: the command's, NUL between them; input: what came on standard input. A fault is told in the reply too. */
void admin_run(struct task *task, const struct admin *admin, span_t words, span_t input, struct admin_reply *reply);
