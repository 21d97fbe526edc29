#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "base/scope.h"
#include "base/span.h"

/*
 * Everything one account has: mailboxes, emails, flags, changes, in one encrypted database (vault/vfs.h).
 * mailbox.h: folders. email.h: messages and their caches. member.h: an email in a mailbox: UIDs, flags, expunge.
 * keyword.h: names of flags. annotation.h: named values. outbox.h: records that may be freed.
 *
 * Nothing here suspends, logs or looks at a clock. Times are microseconds since 1970 (UTC) unless a name says seconds.
 * Every call that changes something is one transaction of its own, or part of the one that is open.
 * Faults: -EBADMSG the database is damaged; -ENOSPC the disk is full (the transaction is rolled back, the vault
 * stays usable); -EIO, -ENOMEM. Named outcomes are positive:
 */
enum vault_outcome {
    VAULT_NOT_FOUND = 1,
    VAULT_EXISTS,
    VAULT_LIMIT,     /* too many mailboxes, keywords, or a name too long or deep */
    VAULT_NAME_BAD,  /* empty level, control character, not UTF-8 */
    VAULT_PROTECTED, /* INBOX cannot be deleted */
    VAULT_CONFLICT,  /* a mailbox moved below itself */
};

struct vault;

/* Lets the libraries below a vault set themselves up, so that processes forked afterwards share the memory of that. */
MUST_USE int vault_prepare(void);

/*
 * Opens the vault in the folder, which is made where it is missing (its parent must exist), with all its mailboxes:
 * INBOX, Drafts, Sent, Junk, Trash, Archive. Brings an older schema up to date. -EBUSY where another process has it;
 * -ENOTSUP where a newer program wrote it. now_seconds becomes the UIDVALIDITY of what is created.
 */
MUST_USE int vault_open(const char *folder, const uint8_t key[32], uint32_t now_seconds, struct vault **ret_vault);
void vault_free(struct vault *vault); /* rolls back what is open */

SCOPE_OF(vault)

/*
 * Transactions. Durable ones are on disk when vault_commit returns 0; relaxed ones survive a crash of the process,
 * and of the machine once a later durable one was committed. They do not nest. After a failed commit all is undone.
 */
enum vault_durability { VAULT_DURABLE, VAULT_RELAXED };

MUST_USE int vault_begin(struct vault *vault, enum vault_durability durability);
MUST_USE int vault_commit(struct vault *vault);
void vault_rollback(struct vault *vault); /* harmless where nothing is open */
bool vault_in_transaction(const struct vault *vault);

/* The key of hashes that the vault keeps of what strangers have chosen; 16 bytes, the vault's. */
const uint8_t *vault_hash_key(const struct vault *vault);

/* The highest modification sequence of the account (RFC 7162 §3.1.1); at least 1. */
uint64_t vault_modseq(const struct vault *vault);

/* Small named values of the account (settings, marks). At most 64 KiB each. VAULT_NOT_FOUND; *ret_value: to be freed.
 */
#define VAULT_SETTING_MAX 65536
MUST_USE int vault_setting_get(struct vault *vault, const char *name, uint8_t **ret_value, size_t *ret_len);
MUST_USE int vault_setting_put(struct vault *vault, const char *name, span_t value);

/* For a quiet moment: writes the WAL back, so that the next open is quick. Not inside a transaction. */
MUST_USE int vault_rest(struct vault *vault);

/*
 * Closes it for a while: everything committed is found again by the next vault_open, and nothing needs to be synced for
 * that. A WAL that would take long to read then is written back first; the fault of that is returned, and harmless.
 */
MUST_USE int vault_close(struct vault *vault);

/* 0 where all the rules of vault/check.h hold, -EBADMSG where not. */
MUST_USE int vault_check(struct vault *vault);
