#pragma once

#include "proto/imap/command.h"
#include "vault/mailbox.h"

/*
 * Which mailboxes a client means (RFC 5465 §6, RFC 7377 §2.2). Mail is delivered to INBOX alone, so that is what
 * "inboxes" are, and all mailboxes are personal.
 */
bool scope_covers(const struct imap_scope *scope, const struct vault_mailbox *mailbox, bool is_selected);

/* The same of a name that need not be there; "subscribed" covers it where is_subscribed. */
bool scope_covers_name(const struct imap_scope *scope, span_t name, bool is_subscribed);
