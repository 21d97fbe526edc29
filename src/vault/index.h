#pragma once

#include "vault/email.h"
#include "vault/words.h"

/*
 * The index of all emails' words, in the vault and so sealed with it. It is made from the messages and can be made
 * again: emails are added in the order of their ids, up to a mark, and those beyond the mark are not known to it.
 *
 * A search finds text anywhere within a word, as IMAP wants it (RFC 9051 §6.4.4), by looking through the vocabulary
 * first; a long identifier is found by its beginning. Every call that changes something belongs into a transaction.
 */

/* The email with the highest id that is in the index; 0: none. */
uint64_t vault_index_mark(const struct vault *vault);

/* The emails beyond the mark, in the order in which they are to be added. */
MUST_USE int vault_index_pending(struct vault *vault, uint64_t *ret_ids, size_t room, size_t *ret_count);

/* terms == NULL: there is nothing to be read of it; it is looked into at every search then, as are partial ones. */
MUST_USE int vault_index_add(struct vault *vault, uint64_t id, const struct vault_terms *terms);

/*
 * Emails that were in the index and are in no mailbox any more. Their words are taken out, for which the message is
 * needed once more; vault_index_remove then lets the record go (outbox.h). terms as they were when it was added; NULL
 * where the message cannot be read any more: its words stay until the index is made anew. Of an email only id and
 * place are known, and they are listed in the order of ids, those from first on.
 */
MUST_USE int vault_index_departed(struct vault *vault, uint64_t first,
                                  struct vault_email *ret_email); /* VAULT_NOT_FOUND */
MUST_USE int vault_index_remove(struct vault *vault, const struct vault_email *email, const struct vault_terms *terms);

/* Empties the index, and lets the records of departed emails go. The mark is 0 then. */
MUST_USE int vault_index_reset(struct vault *vault);

struct vault_index_size {
    uint64_t total; /* emails of the account */
    uint64_t left;  /* of them, those beyond the mark */
};
MUST_USE int vault_index_size(struct vault *vault, struct vault_index_size *ret_size);

/* Frees what makes adding quick. For when there is nothing to add for a while. */
void vault_index_rest(struct vault *vault);

/* -EBADMSG where the index contradicts itself. Reads all of it. */
MUST_USE int vault_index_check(struct vault *vault);
