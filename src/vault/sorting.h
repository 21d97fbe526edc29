#pragma once

#include "vault/email.h"

/*
 * What emails are sorted and threaded by: one short key for each, opaque to the vault, made by the session when the
 * mail is taken in. The keys of neighbouring emails share a row, so that those of a hundred thousand are read in some
 * milliseconds. Emails of a vault that is older than this have none until the session has made them.
 */

/* To be called where the email is there; VAULT_NOT_FOUND where it is not, -EINVAL for a key that is too long. */
MUST_USE int vault_sorting_put(struct vault *vault, uint64_t id, span_t key);

/*
 * The keys of many emails, whose ids rise (the same one may come again); at == NULL where there is none. A span is
 * valid until fn returns, which must not use the vault; a result other than 0 ends the walk and is returned.
 */
typedef int (*vault_sorting_fn)(void *arg, size_t index, span_t key);
MUST_USE int vault_sorting_read(struct vault *vault, const uint64_t *ids, size_t count, vault_sorting_fn fn, void *arg);

/* Emails that may have no key yet, the newest first. *ret_count is 0 when all have theirs. */
MUST_USE int vault_sorting_pending(struct vault *vault, uint64_t *ret_ids, size_t room, size_t *ret_count);
/* All of the pending ones from this id on have been dealt with. */
MUST_USE int vault_sorting_done(struct vault *vault, uint64_t id);

/* Drops all keys; every email is pending then. */
MUST_USE int vault_sorting_reset(struct vault *vault);
