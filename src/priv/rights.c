#include "priv/rights.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "priv/landlock.h"
#include "priv/syscalls.h"
#include "priv/user.h"

/* What a role may reach in the data directory. */
enum reach {
    REACH_NOTHING,
    REACH_DATA,      /* all of it */
    REACH_DIRECTORY, /* directory.db and reports.db */
    REACH_LOG,       /* log/ */
    REACH_VAULT,     /* the account's own */
};

struct rights {
    enum reach reach;
    unsigned calls; /* groups of system calls: CALLS_… */
    unsigned landlock;
    int own_root; /* 1: chroot to an empty folder where started as root */
    enum priv_uid uid;
};

/*
 * Nobody but the supervisor signals others: keeper signals only its Argon2 children, made outside its Landlock domain.
 * What the supervisor may not do none of its children can, so it may connect, for those who have to.
 */
static const struct rights rights[PRIV_ROLE_COUNT] = {
    [PRIV_SUPERVISOR] = {REACH_DATA, CALLS_SUPERVISOR, LANDLOCK_READ_ALL, 0, PRIV_UID_KEEP},
    [PRIV_GATE] = {REACH_NOTHING, CALLS_BASE | CALLS_ACCEPT, LANDLOCK_NO_NETWORK | LANDLOCK_NO_SIGNALS, 1,
                   PRIV_UID_DROP},
    [PRIV_KEEPER] = {REACH_DIRECTORY, CALLS_BASE | CALLS_FILES | CALLS_FORK, LANDLOCK_NO_NETWORK, 0, PRIV_UID_DROP},
    [PRIV_INTAKE] = {REACH_NOTHING, CALLS_BASE | CALLS_CONNECT, LANDLOCK_NO_NETWORK | LANDLOCK_NO_SIGNALS, 1,
                     PRIV_UID_DROP},
    [PRIV_STORE] = {REACH_LOG, CALLS_BASE | CALLS_FILES, LANDLOCK_NO_NETWORK | LANDLOCK_NO_SIGNALS, 0, PRIV_UID_DROP},
    [PRIV_SESSION] = {REACH_VAULT, CALLS_BASE | CALLS_FILES, LANDLOCK_NO_NETWORK | LANDLOCK_NO_SIGNALS, 0,
                      PRIV_UID_DROP},
    [PRIV_COURIER] = {REACH_NOTHING, CALLS_BASE | CALLS_CONNECT, LANDLOCK_NO_CONNECT | LANDLOCK_NO_SIGNALS, 1,
                      PRIV_UID_DROP},
    [PRIV_HASHER] = {REACH_NOTHING, CALLS_BASE, LANDLOCK_NO_NETWORK | LANDLOCK_NO_SIGNALS, 1, PRIV_UID_DROP},
};

#define REACH_PATHS_MAX 6

struct reach_paths {
    char path[REACH_PATHS_MAX][PATH_MAX];
    size_t count;
};

static int add_path(struct reach_paths *paths, const char *data, const char *name, const char *suffix)
{
    assert(paths->count < REACH_PATHS_MAX);
    int length = snprintf(paths->path[paths->count], PATH_MAX, "%s/%s%s", data, name, suffix);
    if (length < 0 || length >= PATH_MAX)
        return -ENAMETOOLONG;
    paths->count++;
    return 0;
}

/* A database is three files: SQLite makes the -wal or the -journal when it likes, which no rule could foresee. */
static int add_database(struct reach_paths *paths, const char *data, const char *name)
{
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        int result = add_path(paths, data, name, suffixes[i]);
        if (result == 0)
            result = priv_user_make_file(paths->path[paths->count - 1]);
        if (result < 0)
            return result;
    }
    return 0;
}

static int list_paths(enum reach reach, const struct priv_start *start, struct reach_paths *paths)
{
    char vault[32];
    int result;
    switch (reach) {
    case REACH_NOTHING:
        return 0;
    case REACH_DATA:
        return add_path(paths, start->data, "", "");
    case REACH_DIRECTORY:
        result = add_database(paths, start->data, "directory.db");
        return result == 0 ? add_database(paths, start->data, "reports.db") : result;
    case REACH_LOG:
        return add_path(paths, start->data, "log", "");
    case REACH_VAULT:
        (void)snprintf(vault, sizeof(vault), "vault/%016" PRIx64, start->account);
        return add_path(paths, start->data, vault, "");
    }
    return -EINVAL;
}

/* The roles hold many descriptors: connections, pipes to each other, segments. */
static int set_limits(void)
{
    struct rlimit limit = {0, 0};
    if (setrlimit(RLIMIT_CORE, &limit) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

int priv_enter(enum priv_role role, const struct priv_start *start)
{
    assert(role < PRIV_ROLE_COUNT);
    const struct rights *right = &rights[role];
    static struct reach_paths paths; /* large, and needed once */
    struct priv_user user = {0};
    paths.count = 0;
    int result = priv_user_find(start->user, &user);
    if (result == 0)
        result = list_paths(right->reach, start, &paths);
    for (size_t i = 0; result == 0 && i < paths.count; i++)
        result = priv_user_give(&user, paths.path[i]);
    if (result < 0)
        return result;

    AUTO_LANDLOCK struct landlock landlock = {.ruleset = -1};
    result = landlock_open(right->landlock, &landlock);
    for (size_t i = 0; result == 0 && i < paths.count; i++)
        result = landlock_allow(&landlock, paths.path[i]);
    for (size_t i = 0; result == 0 && right->calls & CALLS_CONNECT && i < start->port_count; i++)
        result = landlock_allow_port(&landlock, start->ports[i]);
    if (result == 0 && right->own_root)
        result = priv_user_chroot(start->data);
    if (result == 0)
        result = priv_user_become(&user, right->uid);
    if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        result = -errno;
    if (result == 0)
        result = landlock_enter(&landlock);
    if (result == 0) /* after the change of uid, which makes a process dumpable or not by its own rules */
        result = set_limits();
    return result == 0 ? syscalls_enter(right->calls) : result;
}

void priv_probe(struct priv_features *ret_features)
{
    ret_features->landlock_abi = landlock_abi();
    ret_features->seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}
