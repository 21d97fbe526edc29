#pragma once

#include <stdint.h>

#include "base/result.h"

/*
 * What each role may do, enforced by the kernel: one table (rights.c), one call. The order is that of enum ipc_role.
 */
enum priv_role {
    PRIV_SUPERVISOR,
    PRIV_GATE,
    PRIV_KEEPER,
    PRIV_INTAKE,
    PRIV_STORE,
    PRIV_SESSION,
    PRIV_ROLE_COUNT,
};

struct priv_start {
    const char *data; /* the data directory */
    const char *user; /* whom to become when started as root; "root" or empty: stay root without capabilities */
    uint64_t account; /* session only: whose vault */
};

/*
 * Gives up, for good, all that the role does not need: uid and gid where started as root, capabilities, chroot to
 * an empty directory (gate and intake, as root), Landlock (as far as the kernel has it), a seccomp filter, dumpability,
 * core files; raises the limit of descriptors. What a role opens by path afterwards:
 *
 *   supervisor  anything that is readable, to execute itself again; writes in the data directory only
 *   gate        nothing            intake   nothing
 *   keeper      DATA/keeper/ and DATA/directory.db*, server.key (directly in DATA): it may make files in DATA, but
 *               neither read nor enter log/ and vault/
 *   store       DATA/log/ and DATA/store/, and DATA/store.db*
 *   session     DATA/vault/<account as %016x>/, which must exist
 *
 * To be called once, with all threads but the caller's not yet started, after long-lived children (Argon2) are forked;
 * those call it for themselves. Read timezone, certificate and configuration files before. A system call outside the
 * role's list answers EPERM; exec, ptrace, and a socket of a wrong family end the process.
 * Any failure is a fault (negative errno): a role that cannot be confined must not run. A kernel without Landlock or
 * seccomp is not a failure: priv_probe says what is missing.
 */
MUST_USE int priv_enter(enum priv_role role, const struct priv_start *start);

/* What this kernel offers. */
struct priv_features {
    int landlock_abi; /* 0: none; 4 and later confine the network too */
    int seccomp;      /* 1: filters are there */
};
void priv_probe(struct priv_features *ret_features);
