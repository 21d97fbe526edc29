#pragma once

#include "role/session/client.h"

/*
 * What a client is told without having asked for it, and when. Without NOTIFY that is what has changed in the selected
 * mailbox, in IDLE and at the end of a command (RFC 3501 §7.4.1); with it, what it wants to be told of (RFC 5465 §3.1),
 * at any time. To both, what has changed in the results of searches belongs (RFC 5267 §4.3).
 */
enum tell_moment {
    TELL_BETWEEN, /* two commands, with NOTIFY alone */
    TELL_IN_IDLE,
    TELL_AFTER_NUMBERS, /* a command has ended that must not change what a sequence number means */
    TELL_AFTER,         /* another one has */
    TELL_AFTER_EXPUNGE, /* and that one has itself taken messages out of the mailbox */
};

/* uid: each FETCH says its UID, NOTIFY or not (RFC 3501 §6.4.8). Drains. VIEW_GONE: the mailbox was deleted, BYE has
 * been written. */
MUST_USE int tell_all(struct task *task, struct client *client, enum tell_moment moment, enum view_uid uid);

/* How the view speaks to this client just then. */
struct view_format tell_format(const struct client *client, enum tell_moment moment);
