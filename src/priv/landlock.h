#pragma once

#include <stdint.h>

#include "base/result.h"

/* Landlock: which paths, which network. Where the kernel has none of it, all of these do nothing and say 0. */
struct landlock {
    int ruleset; /* -1: none */
    uint64_t files;
    uint64_t network;
};

#define LANDLOCK_READ_ALL 1U   /* what can be read and executed now, can be further on */
#define LANDLOCK_NO_NETWORK 2U /* neither bind nor connect (TCP) */
#define LANDLOCK_NO_CONNECT 4U
#define LANDLOCK_NO_SIGNALS 8U /* to processes outside, nor their abstract sockets */

int landlock_abi(void); /* 0: none */
MUST_USE int landlock_open(unsigned flags, struct landlock *ret_landlock);
void landlock_close(struct landlock *landlock);

/* Everything at or below the path but executing it. The path must exist. */
MUST_USE int landlock_allow(struct landlock *landlock, const char *path);
/* Connecting to a TCP port, where connecting is confined at all. */
MUST_USE int landlock_allow_port(struct landlock *landlock, uint16_t port);
MUST_USE int landlock_enter(struct landlock *landlock);

#define AUTO_LANDLOCK __attribute__((cleanup(landlock_close)))
