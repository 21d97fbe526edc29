#pragma once

#include "vault/vault.h"

/*
 * What must be true of every vault, as a list of rules: the pages of the tables can be read and their indices fit
 * (PRAGMA integrity_check), what is counted agrees with the rows, no UID or modification sequence is given out twice
 * (RFC 9051 §2.3.1.1, RFC 7162 §3.1), and every row that names another finds it.
 * Each rule is a slice of work: a caller with other things to do does them between two.
 */
struct vault_finding {
    const char *mailbox; /* name, or NULL */
    uint32_t uid;        /* or 0 */
    const char *text;    /* what is wrong, for people */
};

/* A result other than 0 ends the walk and is returned. Strings live until the return. It must not use the vault. */
typedef int (*vault_finding_fn)(void *arg, const struct vault_finding *finding);

size_t vault_rule_count(void);
/* A short word that stays the same from version to version. */
const char *vault_rule_name(size_t rule);

/* Tells what breaks the rule, at most VAULT_FINDINGS_MAX of it. -EBADMSG: a page that it needs is damaged. */
#define VAULT_FINDINGS_MAX 1000
MUST_USE int vault_rule_check(struct vault *vault, size_t rule, vault_finding_fn fn, void *arg);

/*
 * Makes it true again, durably and wholly or not at all; nothing that holds mail is removed, what is filed nowhere
 * goes to INBOX. VAULT_NOT_FOUND: there is no way. Not inside a transaction.
 */
MUST_USE int vault_rule_repair(struct vault *vault, size_t rule);
