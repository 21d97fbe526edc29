#pragma once

#include "vault/vault.h"

/*
 * Emails: what is true of a message wherever it is filed. The id is 64 bits, stable and never reused (JMAP's Email id,
 * RFC 8474 EMAILID); the bytes lie sealed in the log, the key to them here.
 */
#define VAULT_CONTENT_KEY_SIZE 32
#define VAULT_CACHE_MAX 262144  /* bytes of each cache; the session leaves a longer one empty */
#define VAULT_SORTING_MAX 4096  /* bytes of what an email is sorted by (sorting.h) */
#define VAULT_REFERENCES_MAX 32 /* the last ones of a longer list count */
#define VAULT_MAILBOXES_OF_EMAIL_MAX 1000

/* Where the bytes lie: the sealed body in a segment of the log. */
struct vault_place {
    uint64_t record;
    uint64_t segment;
    uint64_t offset;
    uint64_t length; /* of the sealed body */
    uint8_t key[VAULT_CONTENT_KEY_SIZE];
};

/* Where an email is to be filed at once. */
struct vault_filing {
    uint64_t mailbox;
    uint64_t flags; /* member.h, keyword.h */
    int64_t saved;  /* RFC 8514; 0: when it was received */
};

struct vault_filed {
    uint32_t uid;
    uint32_t uidvalidity;
};

struct vault_new_email {
    struct vault_place place;
    uint64_t size;    /* RFC822.SIZE */
    int64_t received; /* INTERNALDATE */
    int64_t sent;     /* the Date header; 0 where there is none */
    /* For threads: ids with or without angle brackets; empty spans where there are none. */
    span_t message_id;
    const span_t *references; /* References, then In-Reply-To, oldest first */
    size_t reference_count;
    uint32_t header_size; /* of the message's header, up to and with its empty line */
    /* Opaque to the vault, written and read by the session; empty: made later (vault_email_put_cache). */
    span_t envelope;
    span_t structure;
    span_t sorting;                     /* sorting.h; empty: made later */
    const struct vault_filing *filings; /* each mailbox once, at least one */
    size_t filing_count;
};

/*
 * Adds an email and files it. VAULT_EXISTS: this record was taken in before (*ret_id is that email, and untouched where
 * it was expunged since and its record is yet to be given up: it must not come back; nothing was changed);
 * VAULT_NOT_FOUND: no such mailbox, or one that cannot be selected; VAULT_LIMIT: its UIDs are used up. ret_filed: one
 * for each filing, or NULL.
 */
MUST_USE int vault_email_add(struct vault *vault, const struct vault_new_email *email, uint64_t *ret_id,
                             struct vault_filed *ret_filed);

struct vault_email {
    uint64_t id;
    struct vault_place place;
    uint64_t size;
    int64_t received;
    int64_t sent;
    uint64_t thread; /* RFC 8474 THREADID */
    uint32_t header_size;
};

MUST_USE int vault_email_get(struct vault *vault, uint64_t id, struct vault_email *ret_email);
/* The email that comes next after an id (0: the first), in order of ids: for going through them all. VAULT_NOT_FOUND.
 */
MUST_USE int vault_email_after(struct vault *vault, uint64_t id, uint64_t *ret_id);
MUST_USE int vault_email_find_record(struct vault *vault, uint64_t record, uint64_t *ret_id);

/*
 * The caches; empty spans where they were never written. They are valid until the next call with this vault.
 */
MUST_USE int vault_email_get_cache(struct vault *vault, uint64_t id, span_t *ret_envelope, span_t *ret_structure);
MUST_USE int vault_email_put_cache(struct vault *vault, uint64_t id, span_t envelope, span_t structure);

/*
 * The caches of many emails, in the order of ids; empty spans where there are none. For a list whose ids rise without
 * large gaps, as in a mailbox that mail arrived in, it costs a fraction of as many single calls. The spans are valid
 * until fn returns, which must not use the vault; a result other than 0 ends the walk and is returned.
 */
typedef int (*vault_cache_fn)(void *arg, size_t index, span_t envelope, span_t structure);
MUST_USE int vault_email_read_caches(struct vault *vault, const uint64_t *ids, size_t count, vault_cache_fn fn,
                                     void *arg);

/* What was read off a message, put right: size, sent and header_size of an email there is. */
MUST_USE int vault_email_put_index(struct vault *vault, const struct vault_email *email);

/* All filings of an email. */
typedef int (*vault_filing_fn)(void *arg, uint64_t mailbox, uint32_t uid);
MUST_USE int vault_email_mailboxes(struct vault *vault, uint64_t id, vault_filing_fn fn, void *arg);

/* Sum of the sizes of all emails, each counted once, and their number: for quotas. */
MUST_USE int vault_email_usage(struct vault *vault, uint64_t *ret_count, uint64_t *ret_bytes);
