#pragma once

#include "role/session/session.h"

/*
 * Forgets the emails that are in no mailbox any more (vault/leaving.h), some at a time, and says to store which records
 * no email needs any more (vault/outbox.h): at the opening, and after each expunge.
 */
MUST_USE int release_start(struct session *session);

/* All the records there are, now. */
MUST_USE int release_flush(struct task *task, struct session *session);
