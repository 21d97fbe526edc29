#pragma once

#include "role/session/sortkey.h"
#include "role/session/session.h"

/*
 * Makes what messages are sorted by (sortkey.h) for those that were filed before the vault kept it, in the background
 * and the newest first. Until it is there, SORT and THREAD open the message.
 */
MUST_USE int sorter_start(struct session *session);

/* Appends the key, made of the message's header: the faults of message_open; -ENOENT where the email is gone. */
MUST_USE int sort_key_of_email(struct task *task, struct session *session, uint64_t email, struct buf *bytes);
