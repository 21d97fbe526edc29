#pragma once

#include "base/result.h"

/* System calls by what they are for; a role is given groups (rights.c). */
#define CALLS_BASE 1U        /* memory, time, the loop, descriptors that are open already */
#define CALLS_ACCEPT 2U      /* connections on sockets that listen already */
#define CALLS_FILES 4U       /* files by path, as Landlock and the file system allow */
#define CALLS_FORK 8U        /* processes like ourselves */
#define CALLS_CONNECT 32U    /* to others over the internet, as Landlock allows; never to listen */
#define CALLS_SUPERVISOR 16U /* everything but what no part of a mail server ever does */

#if defined(__SANITIZE_ADDRESS__)
#define SYSCALLS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SYSCALLS_SANITIZED 1
#endif
#endif
#ifndef SYSCALLS_SANITIZED
#define SYSCALLS_SANITIZED 0
#endif

/*
 * From here on every other system call answers EPERM, and those that only an attacker makes end the process.
 * Needs no_new_privs. Under a sanitizer, whose runtime does things of its own, it does nothing.
 */
MUST_USE int syscalls_enter(unsigned groups);
