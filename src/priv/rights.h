#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/*
 * What each role may do, enforced by the kernel: one table (rights.c), one call. The order is that of enum ipc_role,
 * as far as that goes.
 */
enum priv_role {
    PRIV_SUPERVISOR,
    PRIV_GATE,
    PRIV_KEEPER,
    PRIV_INTAKE,
    PRIV_STORE,
    PRIV_SESSION,
    PRIV_COURIER,
    PRIV_HASHER, /* no role of its own: keeper's children, which see a password and nothing else */
    PRIV_ROLE_COUNT,
};

struct priv_start {
    const char *data;      /* the data directory, absolute */
    const char *user;      /* whom to become when started as root; "root" or empty: stay root, without capabilities */
    uint64_t account;      /* session only: whose vault */
    const uint16_t *ports; /* roles that ask others: the TCP ports they may connect to */
    size_t port_count;
};

/*
 * Gives up, for good, all that the role does not need: uid and gid where started as root, capabilities, the file
 * system (chroot to an empty folder for gate, intake, courier and hasher as root), Landlock (as far as the kernel has
 * it), a seccomp filter, dumpability, core files. Raises the limit of descriptors. What a role can open by path
 * afterwards:
 *
 *   supervisor: reads and executes everything it could before; writes in DATA only
 *
 *   gate, intake, courier, hasher: nothing
 *
 *   keeper: DATA/directory.db and DATA/reports.db with their -wal and -journal (made, empty, where missing); server.key
 *   must be read before
 *
 *   store: DATA/log/
 *
 *   session: DATA/vault/<account as %016x>/, which must exist
 *
 * Intake and courier may also send datagrams to anybody, and connect to the ports given: they ask the DNS, and courier
 * sends mail. No role but the supervisor may make a socket that listens. The supervisor itself connects to nobody, but
 * no rule says so: what it is denied, its children are, too.
 *
 * These files may be made and opened before, as root too: they are given to the user here, the folders one level deep.
 * To be called once per process, after long-lived children (Argon2) are forked; those call it for themselves.
 * A system call outside the role's list answers EPERM; exec, ptrace and a socket of a wrong family end the process.
 * Any failure is a fault: a role that cannot be confined must not run (-ENOENT: no such user). A kernel without
 * Landlock is not a failure: priv_probe says what is missing.
 */
MUST_USE int priv_enter(enum priv_role role, const struct priv_start *start);

/* What this kernel offers. */
struct priv_features {
    int landlock_abi; /* 0: none; 4 and later confine the network too */
    int seccomp;      /* 1: filters are there */
};
void priv_probe(struct priv_features *ret_features);
