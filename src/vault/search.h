#pragma once

#include "vault/index.h"

/*
 * Searching the index (vault/index.h), step by step so that nobody else has to wait long.
 */
#define VAULT_FIELDS_ALL ((1U << VAULT_FIELD_COUNT) - 1U)

enum vault_search_result {
    VAULT_SEARCH_HAS_MORE = 1, /* another step is needed */
    VAULT_SEARCH_NO_HELP,      /* nothing in the text can be looked up: every email must be looked into */
};

struct vault_search;

/* fields: a mask of 1 << enum vault_field. folded: mime_text_fold. 0, VAULT_SEARCH_NO_HELP or a fault. */
MUST_USE int vault_search_new(struct vault *vault, unsigned fields, span_t folded, struct vault_search **ret_search);
void vault_search_free(struct vault_search *search);
SCOPE_OF(vault_search)

/* Works for some milliseconds. 0: done; VAULT_SEARCH_HAS_MORE; or a fault. */
MUST_USE int vault_search_step(struct vault_search *search);

/*
 * After the last step: whether an email can match. VAULT_HIT_MAYBE: it must be looked into, because the index knows
 * words but not what stands between them, or does not know the email.
 */
enum vault_hit { VAULT_HIT_NO, VAULT_HIT_YES, VAULT_HIT_MAYBE };
/* The emails that are VAULT_HIT_YES or VAULT_HIT_MAYBE, but for those that the index does not know (index.h). */
size_t vault_search_count(const struct vault_search *search);
void vault_search_copy(const struct vault_search *search, uint64_t *ret_ids); /* in no order, some of them twice */

enum vault_hit vault_search_hit(const struct vault_search *search, uint64_t id);
