#pragma once

#include <stdbool.h>

#include "vault/vault.h"

/*
 * Emails that have left a mailbox, and may be in none any more. To forget one takes several times as long as to take it
 * out of a mailbox, so that is not done while somebody waits for it. Which ones there are is written in the transaction
 * that takes them out. Until they are forgotten, an email without a mailbox can still be got by its id, and by nothing
 * else.
 */

/* Whether there are any. */
MUST_USE int vault_leaving_any(struct vault *vault, bool *ret_any);

/*
 * Forgets some of them, up to `most`, where they are in no mailbox: the record of each goes to the outbox (outbox.h),
 * or waits until its words are out of the index (index.h). *ret_more: there are more of them. Doing it twice is
 * harmless.
 */
MUST_USE int vault_leaving_settle(struct vault *vault, size_t most, bool *ret_more);
