#pragma once

#include "role/keeper/database.h"
#include "role/keeper/directory.h"

/* What the files of the directory share. */
#define STATEMENTS(X)                                                                                                  \
    X(DOMAIN_ADD, "INSERT INTO domain(name) VALUES(?1) ON CONFLICT DO NOTHING")                                        \
    X(DOMAIN_REMOVE, "DELETE FROM domain WHERE name = ?1")                                                             \
    X(DOMAIN_USED, "SELECT 1 FROM address WHERE domain = (SELECT id FROM domain WHERE name = ?1)"                      \
                   " UNION ALL SELECT 1 FROM forward WHERE domain = (SELECT id FROM domain WHERE name = ?1) LIMIT 1")  \
    X(DOMAIN_FIND, "SELECT id FROM domain WHERE name = ?1")                                                            \
    X(DOMAIN_FIRST, "SELECT name FROM domain ORDER BY id LIMIT 1")                                                     \
    X(DOMAIN_EACH, "SELECT name FROM domain WHERE name > ?1 ORDER BY name")                                            \
    X(ACCOUNT_ADD, "INSERT INTO account(address, public_key, state, quota, scram_salt, created)"                       \
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                                                  \
    X(ACCOUNT_GET, "SELECT id, address, public_key, state, quota, scram_salt, created, recipients_per_hour,"           \
                   " messages_per_hour FROM account WHERE id = ?1")                                                    \
    X(ACCOUNT_EACH, "SELECT id, address, public_key, state, quota, scram_salt, created, recipients_per_hour,"          \
                    " messages_per_hour FROM account WHERE address > ?1 ORDER BY address")                             \
    X(ACCOUNT_LIMITS, "UPDATE account SET quota = ?2, recipients_per_hour = ?3, messages_per_hour = ?4,"               \
                      " is_full = is_full AND (?2 > 0 AND ?2 <= quota) WHERE id = ?1")                                 \
    X(ACCOUNT_STATE, "UPDATE account SET state = ?2 WHERE id = ?1")                                                    \
    X(ACCOUNT_FULL, "UPDATE account SET is_full = ?2 WHERE id = ?1 AND is_full <> ?2")                                 \
    X(ACCOUNT_REMOVE, "DELETE FROM account WHERE id = ?1")                                                             \
    X(ADDRESS_ADD, "INSERT INTO address(domain, local, account, own) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")   \
    X(ADDRESS_REMOVE, "DELETE FROM address WHERE domain = ?1 AND local = ?2 AND own = 0")                              \
    X(ADDRESS_TARGETS, "SELECT account.id, account.public_key, account.state, account.is_full FROM address"            \
                       " JOIN account ON account.id = address.account"                                                 \
                       " WHERE address.domain = ?1 AND address.local = ?2 ORDER BY account.id")                        \
    X(ADDRESS_OWN, "SELECT own FROM address WHERE domain = ?1 AND local = ?2 ORDER BY own DESC LIMIT 1")               \
    X(ADDRESS_EACH, "SELECT address.local, domain.name, account.address FROM address"                                  \
                    " JOIN domain ON domain.id = address.domain JOIN account ON account.id = address.account"          \
                    " WHERE address.own = 0"                                                                           \
                    " AND (domain.name, address.local, account.address) > (?1, ?2, ?3)"                                \
                    " ORDER BY domain.name, address.local, account.address")                                           \
    X(ADDRESS_OLDEST, "SELECT account.id, account.public_key, account.state, account.is_full FROM address"             \
                      " JOIN account ON account.id = address.account"                                                  \
                      " WHERE address.domain = ?1 ORDER BY account.id LIMIT 1")                                        \
    X(FORWARD_ADD, "INSERT INTO forward(domain, local, target) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING")             \
    X(FORWARD_REMOVE, "DELETE FROM forward WHERE domain = ?1 AND local = ?2 AND (?3 = '' OR target = ?3)")             \
    X(FORWARD_TARGETS, "SELECT target FROM forward WHERE domain = ?1 AND local = ?2 ORDER BY target")                  \
    X(FORWARD_EACH, "SELECT forward.local, domain.name, forward.target FROM forward"                                   \
                    " JOIN domain ON domain.id = forward.domain"                                                       \
                    " WHERE (domain.name, forward.local, forward.target) > (?1, ?2, ?3)"                               \
                    " ORDER BY domain.name, forward.local, forward.target")                                            \
    X(CREDENTIAL_ADD, "INSERT INTO credential(account, kind, label, scope, salt, memory, passes, verifier, wrapped,"   \
                      " stored_key, server_key, scram_wrapped, created, used)"                                         \
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0)")                            \
    X(CREDENTIAL_EACH, "SELECT id, account, kind, label, scope, salt, memory, passes, verifier, wrapped, stored_key,"  \
                       " server_key, scram_wrapped, created, used FROM credential"                                     \
                       " WHERE account = ?1 AND kind = ?2 AND id > ?3 ORDER BY id")                                    \
    X(CREDENTIAL_USED, "UPDATE credential SET used = ?2 WHERE id = ?1")                                                \
    X(CREDENTIAL_REMOVE, "DELETE FROM credential WHERE account = ?1 AND kind = ?2 AND (?3 = 0 OR id = ?3)")            \
    X(CREDENTIAL_REHASH, "UPDATE credential SET salt = ?2, memory = ?3, passes = ?4, verifier = ?5, wrapped = ?6"      \
                         " WHERE id = ?1")                                                                             \
    X(TRUST_PUT, "INSERT INTO trust(pair, at) VALUES(?1, ?2) ON CONFLICT DO UPDATE SET at = ?2")                       \
    X(TRUST_EACH, "SELECT pair, at FROM trust ORDER BY at")                                                            \
    X(TRUST_TRIM, "DELETE FROM trust WHERE at < ?1 OR pair NOT IN (SELECT pair FROM trust ORDER BY at DESC LIMIT ?2)") \
    X(PROPERTY_GET, "SELECT value FROM property WHERE name = ?1")                                                      \
    X(PROPERTY_ADD, "INSERT INTO property(name, value) VALUES(?1, ?2) ON CONFLICT DO NOTHING")                         \
    X(DKIM_ADD, "INSERT INTO dkim(domain, selector, algorithm, since, private) VALUES(?1, ?2, ?3, ?4, ?5)"             \
                " ON CONFLICT DO NOTHING")                                                                             \
    X(DKIM_EACH, "SELECT selector, algorithm, since, private FROM dkim"                                                \
                 " WHERE domain = (SELECT id FROM domain WHERE name = ?1) ORDER BY since DESC, selector DESC")         \
    X(DKIM_REMOVE, "DELETE FROM dkim WHERE domain = (SELECT id FROM domain WHERE name = ?1) AND selector = ?2")        \
    X(CONDUCT_GET, "SELECT past FROM conduct WHERE account = ?1")                                                      \
    X(CONDUCT_PUT, "INSERT INTO conduct(account, past) SELECT id, ?2 FROM account WHERE id = ?1"                       \
                   " ON CONFLICT DO UPDATE SET past = ?2")                                                             \
    X(HOLD_PUT, "INSERT INTO hold(account, address, why, since, seen, usual, is_told) VALUES(?1, ?2, ?3, ?4, ?5, ?6,"  \
                " ?7) ON CONFLICT DO NOTHING")                                                                         \
    X(HOLD_EACH, "SELECT account, address, why, since, seen, usual, is_told FROM hold ORDER BY account")               \
    X(HOLD_GET, "SELECT account, address, why, since, seen, usual, is_told FROM hold WHERE account = ?1")              \
    X(HOLD_FIND, "SELECT account, address, why, since, seen, usual, is_told FROM hold WHERE address = ?1")             \
    X(HOLD_TOLD, "UPDATE hold SET is_told = 1 WHERE account = ?1")                                                     \
    X(HOLD_REMOVE, "DELETE FROM hold WHERE account = ?1")                                                              \
    X(COUNTS, "SELECT (SELECT count(*) FROM domain), (SELECT count(*) FROM account)")

enum statement {
#define X(name, text) STATEMENT_##name,
    STATEMENTS(X)
#undef X
        STATEMENT_COUNT
};

struct directory {
    const char *reports_local; /* or NULL */
    struct database database;
};

/* As database_query() and database_change(), of these statements. */
MUST_USE int directory_query(struct directory *directory, enum statement which, struct database_values values,
                             sqlite3_stmt **ret_statement);
MUST_USE int directory_change(struct directory *directory, enum statement which, struct database_values values);

/* DIRECTORY_OK and its number, or DIRECTORY_NONE. */
MUST_USE int directory_domain_id(struct directory *directory, const char *domain, uint64_t *ret_id);

/* Whether an address stands there, and whether it is an account's own: DIRECTORY_OK, DIRECTORY_NONE or
 * DIRECTORY_NO_DOMAIN; *ret_place is set unless it is the last. */
struct directory_place {
    uint64_t domain;
    bool own;
};
MUST_USE int directory_address_look_up(struct directory *directory, const struct name *name,
                                       struct directory_place *ret_place);
