#pragma once

#include "role/session/imap/imap.h"

/*
 * Quick resynchronization (RFC 7162 §3.2): what a client that was away has missed, in two answers.
 */

/* `* VANISHED (EARLIER) …` for the UIDs in the set that were expunged after `since`. The set: of a command, "*" in it
 * is the highest UID ever given out. */
MUST_USE int resync_vanished(struct run *run, const struct imap_set *set, uint64_t since);

/* What SELECT answers to its QRESYNC parameter (RFC 7162 §3.2.5): nothing where UIDVALIDITY is another one. */
MUST_USE int resync_select(struct task *task, struct run *run, const struct vault_mailbox *mailbox);
