#pragma once

#include "role/session/imap/imap.h"

/*
 * NOTIFY (RFC 5465): what a client wants to be told of at any time. The last state it was told of each mailbox it
 * watches is remembered, 40 bytes each; more than NOTIFY_MAILBOXES_MAX are refused, or end it, with
 * NOTIFICATIONOVERFLOW (§5.8). What happens to names, subscriptions and annotations comes from the session's notices.
 */
#define NOTIFY_MAILBOXES_MAX 2000U

struct notify;
void notify_free(struct notify *notify, struct session *session);

/* Of the selected mailbox (RFC 5465 §6.1): enum imap_event; whether expunges are told at any time, too; what is told of
 * a new message, or NULL. */
unsigned notify_events_of_selected(const struct notify *notify);
bool notify_is_immediate(const struct notify *notify);
const struct imap_fetch *notify_of_new(const struct notify *notify);

/* Tells what has happened elsewhere. Drains. */
MUST_USE int notify_tell(struct task *task, struct client *client);
