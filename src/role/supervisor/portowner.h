#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/result.h"
#include "base/span.h"

/*
 * Who listens on a TCP port of this machine's loopback, as /proc/net/tcp and tcp6 tell it (proc(5)).
 */
#define PORT_OWNERS_MAX 4U

struct port_owners {
    size_t count; /* 0: nobody listens; beyond PORT_OWNERS_MAX, the rest is left out */
    uid_t users[PORT_OWNERS_MAX];
};

/* Adds who listens there, by one line of either table, without its line end: at 127.0.0.1, or at any address. Pure.
 * False: the line is not of a listener, which stand before all others, so that no further line needs to be read. */
bool port_owners_note(struct port_owners *owners, span_t line, uint16_t port);

/* 0, or why the tables cannot be read. */
MUST_USE int port_owners_find(uint16_t port, struct port_owners *ret_owners);
