#pragma once

#include "role/session/session.h"

/*
 * A session whose connections are all silent holds next to nothing: once each of them is parked (client.h), and nothing
 * is taken in or released, for SESSION_QUIET_MS, the vault is closed and memory is given back. Whatever has something
 * to do wakes it first; opening takes about a millisecond. The vault's key stays, in locked memory.
 */
#define SESSION_QUIET_MS 5000

/* With the vault's key known: the first opening. */
MUST_USE int quiet_start(struct session *session, struct secret *vault_key);
void quiet_end(struct session *session); /* closes */

/* Opens the vault where it is closed. It stays open while a client is not parked, and while it is held. */
MUST_USE int quiet_wake(struct session *session);
MUST_USE int quiet_hold(struct session *session);
void quiet_let_go(struct session *session); /* for each successful quiet_hold */

/* Called when a client was parked, or has gone. */
void quiet_consider(struct session *session);
