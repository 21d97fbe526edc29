#pragma once

#include <stdint.h>

#include "base/result.h"

struct conf;
struct role_start;

/*
 * `waxwing serve`: starts all roles, watches and restarts them, forks sessions, answers the control socket. It touches
 * no mail, holds no key, and speaks to no stranger.
 *
 *   supervisor.c  start, signals, stop        place.c     the data directory and what must stand in it
 *   child.c       starting and restarting     listen.c    the listening sockets
 *   wire.c        channels between roles      session.c   sessions: fork, attach, end
 *   control.c     the control socket          status.c    what `waxwing status` says
 *   reload.c      new settings
 *   nursery.c     what sessions are forked from
 *   erase.c       a removed account's vault   forget.c    and its records
 *   notify.c      the service manager
 */
struct supervisor_start {
    const struct conf *conf;
    const char *conf_path;        /* given to the roles as their -c; NULL: none */
    const char *program;          /* path of this executable */
    int (*prepare_session)(void); /* called before sessions are forked: what all of them will share */
    /* What a forked session runs; returns its exit status. */
    int (*session)(const struct role_start *start);
};

/* Returns the exit status of the process. */
MUST_USE int supervisor_run(const struct supervisor_start *start);

/* The descriptors a role process starts with. */
enum { SUPERVISOR_FD = 3, SUPERVISOR_LOCK_FD = 4 };

/* In the environment of a role process: the key of hashed log fields, in hexadecimal. */
#define SUPERVISOR_LOG_KEY "WAXWING_LOG_KEY"
