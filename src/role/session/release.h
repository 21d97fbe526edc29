#pragma once

#include "role/session/session.h"

/* Says to store which records no email needs any more (vault/outbox.h): at the opening, and after each expunge. */
MUST_USE int release_start(struct session *session);

/* All there are, now. */
MUST_USE int release_flush(struct task *task, struct session *session);
