#pragma once

#include "proto/imap/command.h"
#include "role/session/session.h"
#include "vault/member.h"

/*
 * What the owner takes for junk, and what he takes out of there, is shown to rspamd, which learns from it ([filter]
 * rspamd_learn): in a quiet moment, as it lies in its mailbox then, through the supervisor to an intake, as a session
 * has no network. A help, not a duty: what is too much, too large, or comes while nobody listens is left out.
 */
#define TEACH_WAITING_MAX 64U /* ranges */
#define TEACH_EMAILS_MAX 256U /* of one range */

MUST_USE int teach_start(struct session *session);
void teach_end(struct session *session);

/* These UIDs of the mailbox came from another one: junk where it is for junk, none where they came from there, unless
 * they were thrown away. */
struct teach_move {
    uint64_t from;
    uint64_t to;
    struct vault_range uids;
};
void teach_moved(struct session *session, const struct teach_move *move);

/* Keywords were added to these (IANA's registry of them has $Junk and $NotJunk). */
void teach_marked(struct session *session, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                  const struct imap_flags *added);
