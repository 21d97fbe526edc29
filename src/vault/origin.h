#pragma once

#include "vault/vault.h"

/*
 * Where imported messages came from, so that no import brings one twice: an origin names a message at its source. It is
 * remembered in the transaction that files the message, and stays when that is expunged, so that going on with an
 * import does not bring back what the owner has deleted. What is kept is a keyed hash of 64 bits.
 */
#define VAULT_ORIGINS_MAX 20000000

/* 0: known; VAULT_NOT_FOUND. */
MUST_USE int vault_origin_find(struct vault *vault, span_t origin);
/* The email it became, and its flags at its source. Saying it twice is harmless. */
MUST_USE int vault_origin_add(struct vault *vault, span_t origin, uint64_t email, uint64_t flags);
/*
 * These are the flags at the source now. What has changed there since it was told last is changed in the same way here,
 * wherever the email is; what the owner has changed here meanwhile stays. *ret_changed: whether there was anything to
 * change.
 * VAULT_NOT_FOUND: no such origin.
 */
MUST_USE int vault_origin_follow(struct vault *vault, span_t origin, uint64_t flags, bool *ret_changed);
/* How many there are; it counts them. */
MUST_USE int vault_origin_count(struct vault *vault, uint64_t *ret_count);
