#pragma once

#include "vault/vault.h"

/*
 * Records no email needs any more: named here in the same transaction that forgets the email, until store has
 * acknowledged that it may free them. Saying it twice is harmless.
 */

/* Up to `room` records; *ret_count says how many. */
MUST_USE int vault_outbox_list(struct vault *vault, uint64_t *ret_records, size_t room, size_t *ret_count);
MUST_USE int vault_outbox_clear(struct vault *vault, const uint64_t *records, size_t count);
/* 0: no email needs it any more, and it is here, or will be; VAULT_NOT_FOUND: it is not. */
MUST_USE int vault_outbox_find(struct vault *vault, uint64_t record);
/* Puts a record in directly: one that was taken in but is not to be kept. */
MUST_USE int vault_outbox_add(struct vault *vault, uint64_t record);
