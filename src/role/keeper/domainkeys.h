#pragma once

#include "role/keeper/directory.h"
#include "role/keeper/hasher.h"
#include "role/keeper/signingkey.h"
#include "trust/dkim/signature.h"

/*
 * A domain's DKIM keys through their lives: made, published in the DNS while they wait, signing, kept published for
 * what is still under way, removed. There is one of each algorithm at a time (RFC 8463 §3.1), and each selector bears
 * the date on which it was made.
 */
#define DOMAINKEYS_WAIT (3U * 86400U)    /* seconds a new key is published before it signs */
#define DOMAINKEYS_LINGER (14U * 86400U) /* and an old one after its successor has begun to sign */
#define DOMAINKEYS_MAX 16U               /* of a domain */

enum domainkey_state { DOMAINKEY_SIGNS, DOMAINKEY_WAITS, DOMAINKEY_RETIRED };

struct domainkey {
    struct directory_dkim row;
    enum domainkey_state state;
};

struct domainkeys {
    size_t count; /* newest first */
    struct domainkey keys[DOMAINKEYS_MAX];
};

/* 0, or a fault. now: seconds since 1970. */
MUST_USE int domainkeys_read(struct directory *directory, const char *domain, uint64_t now,
                             struct domainkeys *ret_keys);

/* New keys, one of each algorithm, which take a while to make: not within a transaction. */
#define DOMAINKEYS_ALGORITHMS 2U
struct domainkeys_made {
    struct secret *private_keys[DOMAINKEYS_ALGORITHMS];
};
MUST_USE int domainkeys_make(struct task *task, struct hasher *hasher, struct domainkeys_made *ret_made);
void domainkeys_made_deinit(struct domainkeys_made *made);

/*
 * Gives the domain new keys, and removes those that have lingered. They wait, unless the domain has none that
 * sign. DIRECTORY_OK; DIRECTORY_NONE: no such domain; DIRECTORY_IN_USE: new keys wait already; or a fault. The caller
 * has a transaction open.
 */
MUST_USE int domainkeys_rotate(struct directory *directory, const char *domain, uint64_t now,
                               const struct domainkeys_made *made);

/* Appends the record of a selector. DIRECTORY_OK, DIRECTORY_NONE or a fault; the key itself likewise. */
MUST_USE int domainkeys_record(struct directory *directory, const char *domain, const char *selector, struct buf *text);
MUST_USE int domainkeys_load(struct directory *directory, const char *domain, const char *selector,
                             struct signing_key **ret_key);

/*
 * The keys used lately, ready for use. They are to be let go of whenever the administrator does something, for that may
 * be what they are no longer for.
 */
struct domainkeys_ready;
MUST_USE int domainkeys_ready_new(struct domainkeys_ready **ret_ready);
void domainkeys_ready_free(struct domainkeys_ready *ready);
void domainkeys_let_go(struct domainkeys_ready *ready);

/* Appends the signature of the hash. DIRECTORY_OK, DIRECTORY_NONE or a fault. */
MUST_USE int domainkeys_sign(struct domainkeys_ready *ready, struct directory *directory, const char *domain,
                             const char *selector, const uint8_t hash[DKIM_HASH_SIZE], struct buf *signature);

SCOPE_OF(domainkeys_ready)
