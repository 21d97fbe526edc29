#pragma once

#include "vault/index.h"
#include "vault/search.h"

/*
 * A fuzzy search (RFC 6203): emails that have, in some of their fields, a word that is close (mime/closeness.h) to each
 * word of a text. The score is the mean of how close the closest ones are. Of the text FUZZY_TERMS_MAX words count.
 */
#define FUZZY_TERMS_MAX 4U

struct vault_fuzzy;

/* 0, VAULT_SEARCH_NO_HELP: there is no word in the text; -ENOMEM. */
MUST_USE int vault_fuzzy_new(struct vault *vault, unsigned fields, span_t folded, struct vault_fuzzy **ret_fuzzy);
void vault_fuzzy_free(struct vault_fuzzy *fuzzy);
SCOPE_OF(vault_fuzzy)

/* Asks the index for some milliseconds. 0: done; VAULT_SEARCH_HAS_MORE; or a fault, then it has not been asked. */
MUST_USE int vault_fuzzy_step(struct vault_fuzzy *fuzzy);

/* 0: no match; up to 100; or VAULT_FUZZY_UNKNOWN: the index was not asked, or does not know all of that email. */
#define VAULT_FUZZY_UNKNOWN 101U
unsigned vault_fuzzy_score(const struct vault_fuzzy *fuzzy, uint64_t id);

/* The score of an email with these words. */
unsigned vault_fuzzy_score_words(const struct vault_fuzzy *fuzzy, const struct vault_words *words);
