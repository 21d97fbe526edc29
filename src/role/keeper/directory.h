#pragma once

#include "base/buf.h"
#include "crypto/password.h"
#include "crypto/wrap.h"
#include "ipc/row.h"
#include "proto/sasl/scram.h"
#include "role/keeper/conduct.h"
#include "role/keeper/name.h"
#include "role/keeper/spending.h"

/*
 * The directory: domains, accounts, addresses, credentials, in one database that is sealed under the server's key.
 * Every function is one transaction, unless it stands between directory_begin and directory_commit; none suspends.
 * The _each ones walk in order, from behind `after` ("" or 0: from the start); a row may end the walk with any result
 * but 0, which is then the walk's. What a row is shown lives until it returns.
 */
struct directory;

enum directory_result {
    DIRECTORY_OK,
    DIRECTORY_NONE,      /* there is no such thing */
    DIRECTORY_EXISTS,    /* there is one already */
    DIRECTORY_NO_DOMAIN, /* the domain is not ours */
    DIRECTORY_IN_USE,    /* accounts or addresses still stand on it */
};

/* Opens or makes the database. -EBADMSG: another key, or damaged. -ENOTSUP: made by a newer program. */
MUST_USE int directory_open(const char *path, const uint8_t key[32], struct directory **ret_directory);
void directory_free(struct directory *directory);

MUST_USE int directory_begin(struct directory *directory);
MUST_USE int directory_commit(struct directory *directory);
void directory_rollback(struct directory *directory);

/* --- domains --- */
typedef int directory_name_row(void *arg, const char *name);
MUST_USE int directory_domain_add(struct directory *directory, const char *domain);
MUST_USE int directory_domain_remove(struct directory *directory, const char *domain);
MUST_USE int directory_domain_exists(struct directory *directory, const char *domain); /* DIRECTORY_OK or _NONE */
/* The one that was added first, or "" where there is none. */
MUST_USE int directory_domain_first(struct directory *directory, char ret_domain[NAME_DOMAIN_MAX + 1]);
MUST_USE int directory_domain_each(struct directory *directory, const char *after, directory_name_row *row, void *arg);

/* --- accounts --- */
enum account_state { ACCOUNT_ACTIVE, ACCOUNT_LOCKED };

#define ACCOUNT_ADDRESS_MAX (NAME_LOCAL_MAX + NAME_DOMAIN_MAX + 1)
#define SCRAM_SALT_SIZE 16U

struct account {
    uint64_t id;
    enum account_state state;
    uint64_t quota; /* bytes; 0: none */
    struct spending_limits limits;
    uint64_t created;
    uint8_t public_key[32];
    uint8_t scram_salt[SCRAM_SALT_SIZE];
    char address[ACCOUNT_ADDRESS_MAX + 1];
};

typedef int directory_account_row(void *arg, const struct account *account);

/* Gives it a number (never one that was used before) and its own address. account->address is made from name; of limits
 * it has none of its own. */
MUST_USE int directory_account_add(struct directory *directory, const struct name *name, struct account *account);
MUST_USE int directory_account_get(struct directory *directory, uint64_t id, struct account *ret_account);
/* By any exact address of its own: no catch-all, no "+tag". Several accounts behind one address: none. */
MUST_USE int directory_account_find(struct directory *directory, const struct name *name, struct account *ret_account);
MUST_USE int directory_account_set_state(struct directory *directory, uint64_t id, enum account_state state);
/* Quota and limits, from there. More quota than before, and it is full no more until its session says so. */
MUST_USE int directory_account_set_limits(struct directory *directory, const struct account *account);
/* Whether it holds as much as its quota allows. DIRECTORY_NONE: that was known, or there is no such account. */
MUST_USE int directory_account_set_full(struct directory *directory, uint64_t id, uint32_t is_full);
MUST_USE int directory_account_remove(struct directory *directory, uint64_t id);
MUST_USE int directory_account_each(struct directory *directory, const char *after, directory_account_row *row,
                                    void *arg);

/* --- addresses --- */
/* A further target of an address. An account's own address takes none: DIRECTORY_IN_USE. */
struct directory_address {
    const char *local;
    const char *domain;
    const char *account;
};
typedef int directory_address_row(void *arg, const struct directory_address *address);
MUST_USE int directory_address_add(struct directory *directory, const struct name *name, uint64_t account);
/* All its targets. An account's own address cannot be removed: DIRECTORY_IN_USE. */
MUST_USE int directory_address_remove(struct directory *directory, const struct name *name);
MUST_USE int directory_address_exists(struct directory *directory, const struct name *name);
MUST_USE int directory_address_each(struct directory *directory, const struct directory_address *after,
                                    directory_address_row *row, void *arg);

/* --- mail that is sent on --- */

/* Addresses elsewhere that mail for an address goes to, beside the accounts that it may lead to. */
#define FORWARD_TARGETS_MAX 50U /* of one address */
struct directory_forward {
    const char *local; /* empty: the catch-all */
    const char *domain;
    const char *target;
};
typedef int directory_forward_row(void *arg, const struct directory_forward *forward);
/* DIRECTORY_OK, DIRECTORY_EXISTS, DIRECTORY_NO_DOMAIN. */
MUST_USE int directory_forward_add(struct directory *directory, const struct name *name, const char *target);
/* target "": all of them. DIRECTORY_OK, DIRECTORY_NONE. */
MUST_USE int directory_forward_remove(struct directory *directory, const struct name *name, const char *target);
/* How many there are, or a fault. */
MUST_USE int directory_forward_count(struct directory *directory, const struct name *name);
MUST_USE int directory_forward_each(struct directory *directory, const struct directory_forward *after,
                                    directory_forward_row *row, void *arg);

/* The local part, of an address in every domain, whose mail is reports on the domain; it is kept by reference. Empty,
 * as at first: there is none. */
void directory_set_reports(struct directory *directory, const char *local);

/*
 * Who gets mail for this address: an enum resolve_outcome or a fault; with RESOLVE_LOCAL, recipient rows (ipc/row.h)
 * are appended to *rows, and to *forwards a row of ipc/envelope.h for each address elsewhere, with the address asked
 * for as ORCPT. In turn: the address itself, the address without "+tag" (RFC 5233), the catch-all of its
 * domain, and for postmaster (RFC 5321 §4.5.1) the domain's oldest account. A bare "postmaster" is the oldest domain's.
 * The address for reports has REPORTS_ACCOUNT for a row, beside those of accounts that have it for one of their own; it
 * is none of the catch-all's.
 */
MUST_USE int directory_resolve(struct directory *directory, span_t address, struct buf *rows, struct buf *forwards);
/* Does this account own the address, "+tag" and catch-all included? DIRECTORY_OK or DIRECTORY_NONE. */
MUST_USE int directory_may_send(struct directory *directory, uint64_t account, span_t address);

/* --- credentials --- */
enum credential_kind { CREDENTIAL_PASSWORD = 1, CREDENTIAL_APP = 2, CREDENTIAL_RECOVERY = 3 };
enum credential_scope {
    SCOPE_IMAP = 1,
    SCOPE_SMTP = 2,
    SCOPE_POP3 = 4,
    SCOPE_JMAP = 8,
    SCOPE_DAV = 16,
    SCOPE_SIEVE = 32
};
#define SCOPE_ALL 63U
#define CREDENTIAL_LABEL_MAX 128U

struct credential {
    uint64_t id;
    uint64_t account;
    enum credential_kind kind;
    uint32_t scope;                /* enum credential_scope */
    struct password_params params; /* the salt, of every kind; memory and passes of a password */
    uint8_t verifier[PASSWORD_VERIFIER_SIZE];
    uint8_t wrapped[WRAP_SIZE];
    /* Of an app password alone: */
    uint8_t stored_key[SCRAM_KEY_SIZE];
    uint8_t server_key[SCRAM_KEY_SIZE];
    uint8_t scram_wrapped[WRAP_SIZE];
    uint64_t created; /* seconds since 1970 */
    uint64_t used;    /* 0: never */
    char label[CREDENTIAL_LABEL_MAX + 1];
};

typedef int directory_credential_row(void *arg, const struct credential *credential);
MUST_USE int directory_credential_add(struct directory *directory, struct credential *credential);
MUST_USE int directory_credential_each(struct directory *directory, uint64_t account, enum credential_kind kind,
                                       uint64_t after, directory_credential_row *row, void *arg);
/* Salt, params, verifier and wrapped anew; DIRECTORY_NONE where the credential was removed meanwhile. */
MUST_USE int directory_credential_rehash(struct directory *directory, const struct credential *credential);
/* The one of its kind: a password, a recovery code. */
MUST_USE int directory_credential_get(struct directory *directory, uint64_t account, enum credential_kind kind,
                                      struct credential *ret_credential);
MUST_USE int directory_credential_used(struct directory *directory, uint64_t id, uint64_t now);
MUST_USE int directory_credential_remove(struct directory *directory, uint64_t account, enum credential_kind kind,
                                         uint64_t id); /* id 0: all of the kind */

/* --- keys of hashes ------------------------------------------------------------------------------------------------
 */
#define DIRECTORY_HASH_KEY_SIZE 16U
/* One of the directory's own, made at the first call. DIRECTORY_OK or a fault. */
MUST_USE int directory_hash_key(struct directory *directory, const char *name,
                                uint8_t ret_key[DIRECTORY_HASH_KEY_SIZE]);

/* --- what the throttle trusts (throttle.h), so that a restart forgets nothing: keyed hashes and seconds since 1970 ---
 */
typedef int directory_trust_row(void *arg, uint64_t pair, uint64_t at);
MUST_USE int directory_trust_each(struct directory *directory, directory_trust_row *row, void *arg); /* oldest first */
MUST_USE int directory_trust_put(struct directory *directory, uint64_t pair, uint64_t at);
/* Forgets what is older than `since`, and of the rest all but the youngest. */
MUST_USE int directory_trust_trim(struct directory *directory, uint64_t since, uint64_t most);

/* --- how accounts use to write to others (conduct.h), and those whose mail is held --- */
/* DIRECTORY_NONE: nothing is known. */
MUST_USE int directory_conduct_get(struct directory *directory, uint64_t account, struct conduct *ret_conduct);
MUST_USE int directory_conduct_put(struct directory *directory, uint64_t account, const struct conduct *conduct);

struct directory_hold {
    uint64_t account;
    uint32_t why;   /* enum hold_why (ipc/row.h) */
    uint64_t since; /* seconds since 1970 */
    uint64_t seen;  /* recipients within a day, of the kind that is why, … */
    uint64_t usual; /* … and on other days */
    bool is_told;   /* its owner, and the operator */
    char address[ACCOUNT_ADDRESS_MAX + 1];
};
typedef int directory_hold_row(void *arg, const struct directory_hold *hold);
/* DIRECTORY_EXISTS: it is held already. */
MUST_USE int directory_hold_put(struct directory *directory, const struct directory_hold *hold);
MUST_USE int directory_hold_each(struct directory *directory, directory_hold_row *row, void *arg);
MUST_USE int directory_hold_get(struct directory *directory, uint64_t account, struct directory_hold *ret_hold);
/* By the account's own address, also of one that was removed since. */
MUST_USE int directory_hold_find(struct directory *directory, const char *address, struct directory_hold *ret_hold);
MUST_USE int directory_hold_told(struct directory *directory, uint64_t account);
MUST_USE int directory_hold_remove(struct directory *directory, uint64_t account);

/* --- keys to sign with (DKIM) --- */

#define DIRECTORY_SELECTOR_SIZE 24U
struct directory_dkim {
    char selector[DIRECTORY_SELECTOR_SIZE];
    uint32_t algorithm; /* enum dkim_algorithm */
    uint64_t since;     /* seconds since 1970 from which on it signs */
};
/* DIRECTORY_OK, DIRECTORY_NONE: no such domain, DIRECTORY_EXISTS: the selector. */
MUST_USE int directory_dkim_add(struct directory *directory, const char *domain, const struct directory_dkim *key,
                                const struct secret *private_key);
/* Newest first; the key, DER, is valid until row returns. */
typedef int directory_dkim_row(void *arg, const struct directory_dkim *key, span_t private_key);
MUST_USE int directory_dkim_each(struct directory *directory, const char *domain, directory_dkim_row *row, void *arg);
MUST_USE int directory_dkim_remove(struct directory *directory, const char *domain, const char *selector);

struct directory_counts {
    uint64_t domains;
    uint64_t accounts;
};
MUST_USE int directory_count(struct directory *directory, struct directory_counts *ret_counts);

SCOPE_OF(directory)
