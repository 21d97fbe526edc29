#pragma once

#include "crypto/password.h"
#include "rt/loop.h"
#include "trust/dkim/sign.h"

/*
 * What takes long, in child processes, so that the loop never waits for it and at most so much is under way at a time:
 * Argon2id, for the most part, and now and then a key of a domain. The children have one socket each and no other right
 * than to compute.
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

/* signing_key_make(), elsewhere; likewise. */
MUST_USE int hasher_make_key(struct task *task, struct hasher *hasher, enum dkim_algorithm algorithm,
                             struct secret **ret_private);

SCOPE_OF(hasher)
