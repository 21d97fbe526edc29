#pragma once

#include "vault/engine.h"
#include "vault/ids.h"
#include "vault/search.h"

/*
 * Single questions to the index (vault/index.h), for those who put them together (search.c, fuzzy.c). fields: a mask of
 * 1 << enum vault_field. What is found is added to the ids.
 */
MUST_USE int lookup_word(struct vault *vault, unsigned fields, span_t word, struct ids *ids);
MUST_USE int lookup_identifier(struct vault *vault, unsigned fields, span_t beginning, struct ids *ids);
MUST_USE int lookup_partial(struct vault *vault, struct ids *ids); /* must be looked into whatever the index says */
MUST_USE int lookup_read(struct vault *vault, sqlite3_stmt *statement, struct ids *ids); /* all rows */

/*
 * Some more blocks of the vocabulary, those after *block: words with a line end behind each. *more becomes false with
 * the last one. A result other than 0 ends it and is returned.
 */
typedef int (*lookup_block_fn)(void *arg, span_t words);
MUST_USE int lookup_vocabulary(struct vault *vault, int64_t *block, bool *more, lookup_block_fn fn, void *arg);
