#pragma once

#include "role/session/session.h"
#include "vault/email.h"

/*
 * Takes in what is pending: asks store for it, newest first, reads and files it, and says that it is taken. One batch
 * is one transaction; what arrives while a batch is committed goes into the next one, so that the batches grow with
 * the load. The first message after a quiet second waits for nothing; of those that follow, all that come within a
 * second share one batch, unless a client asks (takein_wait).
 */
MUST_USE int takein_start(struct session *session);

/* Something has arrived for the account. */
void takein_note_arrived(struct session *session);

/*
 * Waits until the newest batch of what has arrived is filed, so that a client which asks sees its new mail; for a
 * second at the most. 0 or -ECANCELED.
 */
MUST_USE int takein_wait(struct task *task, struct session *session);

/* The vault has this record: store is told soon. */
void takein_note_taken(struct session *session, uint64_t record);

/*
 * Files one email as its record's metadata says: mailbox (INBOX where that is gone), flags. Inside a transaction.
 * VAULT_EXISTS: this record is in the vault already. *ret_filed is set otherwise.
 */
struct record_meta;
MUST_USE int takein_file(struct session *session, const struct record_meta *meta, struct vault_new_email *email,
                         struct vault_filed *ret_filed);
