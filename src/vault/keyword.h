#pragma once

#include "vault/vault.h"

/*
 * Keywords: flags with names of the user's (RFC 3501 §2.3.2). Each name has one bit in the whole account, from bit
 * VAULT_KEYWORD_FIRST up; names are compared without regard to ASCII case, and shown as they were first written.
 */
#define VAULT_KEYWORD_FIRST 8
#define VAULT_KEYWORDS_MAX 50
#define VAULT_KEYWORD_NAME_MAX 250

/* The bit (as a mask) of a name; VAULT_NOT_FOUND. */
MUST_USE int vault_keyword_find(const struct vault *vault, span_t name, uint64_t *ret_mask);
/* The same, but gives the name a bit where it has none; VAULT_LIMIT where none is free, VAULT_NAME_BAD (not an atom).
 */
MUST_USE int vault_keyword_use(struct vault *vault, span_t name, uint64_t *ret_mask);
/* The name of a bit's number (8 to 57), or NULL; valid until the vault is closed. */
const char *vault_keyword_name(const struct vault *vault, unsigned bit);
