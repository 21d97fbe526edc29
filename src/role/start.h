#pragma once

#include <stdint.h>

struct conf;

/*
 * What a role is given at its start. All of it outlives the role's run function, which returns the exit status of the
 * process. A session gets its channel to the store, as every role gets its peers, by a `wire` message before `begin`,
 * and its clients by `attach` messages from the supervisor afterwards.
 *
 * Files that the supervisor has made in the data directory before any role starts: server.key (32 random bytes, for
 * keeper and store), tls-cert.pem and tls-key.pem (self-signed; used where the configuration names no others), log/
 * and vault/, and for a session its folder vault/%016x/.
 */
struct role_start {
    const struct conf *conf;
    const char *data;  /* path of the data directory */
    uint32_t index;    /* which of several: gate, intake */
    uint32_t count;    /* how many there are of this role */
    int supervisor_fd; /* for wiring_new() */
    uint64_t account;  /* session only */
};
