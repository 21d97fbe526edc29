#pragma once

#include "crypto/password.h"
#include "rt/loop.h"

/*
 * Argon2id in child processes, so that the loop never waits for it and at most so many passwords are hashed at a time.
 * The children have one socket each and no other right than to compute.
 */
struct hasher;
struct priv_start;
struct task;

#define HASHER_CHILDREN 2U
#define HASHER_QUEUE_MAX 64U /* who may wait for a child */

/* Forks the children: before the loop is made. confine may be NULL, in tests. */
MUST_USE int hasher_new(unsigned children, const struct priv_start *confine, struct hasher **ret_hasher);
void hasher_free(struct hasher *hasher); /* they end */

MUST_USE int hasher_start(struct hasher *hasher, struct loop *loop);
void hasher_stop(struct hasher *hasher); /* before the loop is freed; no task may use it any more */

/* password_hash(), elsewhere. -EBUSY where too many wait already. */
MUST_USE int hasher_run(struct task *task, struct hasher *hasher, const struct password_params *params, span_t password,
                        struct secret **ret_hash);

SCOPE_OF(hasher)
