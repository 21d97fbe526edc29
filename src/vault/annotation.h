#pragma once

#include "vault/vault.h"

/*
 * Annotations of mailboxes and of the account (RFC 5464): named values. They leave with their mailbox. Names of entries
 * begin with '/', have no '/' at the end, and are the same in any case.
 */
#define VAULT_ANNOTATION_NAME_MAX 1000 /* bytes */
#define VAULT_ANNOTATION_VALUE_MAX 65536
#define VAULT_ANNOTATIONS_EACH 200       /* of one mailbox */
#define VAULT_ANNOTATIONS_MAX 5000       /* of the account */
#define VAULT_ACCOUNT_ITSELF UINT64_C(0) /* in place of a mailbox's id */

/*
 * VAULT_LIMIT where there are too many, or it is too long. value.at NULL removes it, which is no fault where it is not.
 * The mailbox gets a new modseq (RFC 7162 §3.2).
 */
MUST_USE int vault_annotation_put(struct vault *vault, uint64_t mailbox, span_t entry, span_t value);

/* VAULT_NOT_FOUND; *ret_value: to be freed. */
MUST_USE int vault_annotation_get(struct vault *vault, uint64_t mailbox, span_t entry, uint8_t **ret_value,
                                  size_t *ret_len);

/* An entry and all below it, in order. A result other than 0 ends the walk and is returned; no call may change them. */
typedef int (*vault_annotation_fn)(void *arg, span_t entry, span_t value);
MUST_USE int vault_annotation_list(struct vault *vault, uint64_t mailbox, span_t entry, vault_annotation_fn fn,
                                   void *arg);
