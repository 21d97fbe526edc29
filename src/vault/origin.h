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
/* Saying it twice is harmless. */
MUST_USE int vault_origin_add(struct vault *vault, span_t origin);
/* How many there are; it counts them. */
MUST_USE int vault_origin_count(struct vault *vault, uint64_t *ret_count);
