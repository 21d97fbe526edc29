#pragma once

#include "vault/vault.h"

/*
 * Mailboxes. A name is the whole path in UTF-8 with '/' between levels (RFC 3501 §5.1); INBOX is found in any case
 * (RFC 3501 §5.1), its children too. Ids are 64 bits, never reused; INBOX has id 1.
 */
#define VAULT_MAILBOXES_MAX 20000
#define VAULT_NAME_MAX 1000 /* bytes */
#define VAULT_DEPTH_MAX 32
#define VAULT_INBOX UINT64_C(1)

enum vault_role { /* special uses (RFC 6154 §2) */
                  VAULT_ROLE_NONE,
                  VAULT_ROLE_INBOX,
                  VAULT_ROLE_DRAFTS,
                  VAULT_ROLE_SENT,
                  VAULT_ROLE_JUNK,
                  VAULT_ROLE_TRASH,
                  VAULT_ROLE_ARCHIVE,
                  VAULT_ROLE_FLAGGED,
                  VAULT_ROLE_ALL,
};

struct vault_mailbox {
    uint64_t id;
    const char *name; /* valid until the callback returns, or, from vault_mailbox_get, until the next vault call */
    uint32_t uidvalidity;
    uint32_t uidnext;
    uint32_t recent_from; /* UIDs from here on have not been shown as \Recent to anybody (RFC 3501 §2.3.2) */
    enum vault_role role;
    bool subscribed;
    bool selectable; /* false: only a level in the hierarchy */
    uint64_t highest_modseq;
    uint64_t flags_modseq; /* no flags of a message that was there were changed since then */
    uint32_t total;
    uint32_t unseen;
    uint32_t deleted;
    uint64_t bytes;
};

/* All messages in all mailboxes, and their bytes: for quotas. */
MUST_USE int vault_mailbox_usage(struct vault *vault, uint64_t *ret_count, uint64_t *ret_bytes);

/* A result other than 0 ends the walk and is returned. It must not change the vault. */
typedef int (*vault_mailbox_fn)(void *arg, const struct vault_mailbox *mailbox);

/* All mailboxes in order of their names, INBOX first. */
MUST_USE int vault_mailbox_list(struct vault *vault, vault_mailbox_fn fn, void *arg);
MUST_USE int vault_mailbox_get(struct vault *vault, uint64_t id, struct vault_mailbox *ret_mailbox);
MUST_USE int vault_mailbox_find(struct vault *vault, span_t name, struct vault_mailbox *ret_mailbox);
MUST_USE int vault_mailbox_find_role(struct vault *vault, enum vault_role role, struct vault_mailbox *ret_mailbox);
MUST_USE int vault_mailbox_has_children(struct vault *vault, span_t name, bool *ret_has);

/*
 * Makes a mailbox and the missing levels above it (RFC 3501 §6.3.3). VAULT_EXISTS, VAULT_LIMIT, VAULT_NAME_BAD.
 * One trailing '/' is ignored.
 */
MUST_USE int vault_mailbox_create(struct vault *vault, span_t name, uint32_t now_seconds, uint64_t *ret_id);

/* Gives a role to a mailbox; VAULT_EXISTS where another one has it (RFC 6154 §3). */
MUST_USE int vault_mailbox_set_role(struct vault *vault, uint64_t id, enum vault_role role);

/*
 * Renames with all children, making missing levels above the new name; renaming INBOX moves its messages into a new
 * mailbox and leaves INBOX and its children (RFC 3501 §6.3.5). VAULT_NOT_FOUND, VAULT_EXISTS, VAULT_LIMIT,
 * VAULT_NAME_BAD, VAULT_CONFLICT.
 */
MUST_USE int vault_mailbox_rename(struct vault *vault, span_t from, span_t to, uint32_t now_seconds);

/*
 * Deletes a mailbox with its messages; with children it stays as a level that cannot be selected, and where it
 * already is one, VAULT_CONFLICT (RFC 3501 §6.3.4). VAULT_PROTECTED for INBOX.
 */
MUST_USE int vault_mailbox_delete(struct vault *vault, uint64_t id);

/* Subscriptions are names, which need not exist (RFC 3501 §6.3.6). Unsubscribing what is not is VAULT_NOT_FOUND. */
MUST_USE int vault_subscribe(struct vault *vault, span_t name);
MUST_USE int vault_unsubscribe(struct vault *vault, span_t name);

/* All subscribed names in order. */
typedef int (*vault_name_fn)(void *arg, const char *name);
MUST_USE int vault_subscription_list(struct vault *vault, vault_name_fn fn, void *arg);

/* Everything up to now is no longer \Recent: *ret_from is the first UID that was, 0 where none. */
MUST_USE int vault_mailbox_claim_recent(struct vault *vault, uint64_t id, uint32_t *ret_from);
