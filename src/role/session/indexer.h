#pragma once

#include "role/session/session.h"

/*
 * Keeps the index of words (vault/index.h) up with the mail, in quiet moments: what has been taken in is added, and the
 * words of what was deleted are taken out before its record may go. A damaged index is made anew.
 */
MUST_USE int indexer_start(struct session *session);
