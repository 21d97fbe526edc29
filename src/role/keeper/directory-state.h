#pragma once

#include <sqlite3.h>

#include "role/keeper/directory.h"

/* What the files of the directory share. */
#define STATEMENTS(X)                                                                                                  \
    X(DOMAIN_ADD, "INSERT INTO domain(name) VALUES(?1) ON CONFLICT DO NOTHING")                                        \
    X(DOMAIN_REMOVE, "DELETE FROM domain WHERE name = ?1")                                                             \
    X(DOMAIN_USED, "SELECT 1 FROM address WHERE domain = (SELECT id FROM domain WHERE name = ?1) LIMIT 1")             \
    X(DOMAIN_FIND, "SELECT id FROM domain WHERE name = ?1")                                                            \
    X(DOMAIN_FIRST, "SELECT name FROM domain ORDER BY id LIMIT 1")                                                     \
    X(DOMAIN_EACH, "SELECT name FROM domain ORDER BY name")                                                            \
    X(ACCOUNT_ADD, "INSERT INTO account(address, public_key, state, quota, scram_salt, created)"                       \
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                                                  \
    X(ACCOUNT_GET, "SELECT id, address, public_key, state, quota, scram_salt, created FROM account WHERE id = ?1")     \
    X(ACCOUNT_EACH, "SELECT id, address, public_key, state, quota, scram_salt, created FROM account ORDER BY address") \
    X(ACCOUNT_PUBLIC_KEY, "UPDATE account SET public_key = ?2 WHERE id = ?1")                                          \
    X(ACCOUNT_STATE, "UPDATE account SET state = ?2 WHERE id = ?1")                                                    \
    X(ACCOUNT_REMOVE, "DELETE FROM account WHERE id = ?1")                                                             \
    X(ADDRESS_ADD, "INSERT INTO address(domain, local, account, own) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")   \
    X(ADDRESS_REMOVE, "DELETE FROM address WHERE domain = ?1 AND local = ?2 AND own = 0")                              \
    X(ADDRESS_TARGETS, "SELECT account.id, account.public_key, account.state FROM address"                             \
                       " JOIN account ON account.id = address.account"                                                 \
                       " WHERE address.domain = ?1 AND address.local = ?2 ORDER BY account.id")                        \
    X(ADDRESS_OWN, "SELECT own FROM address WHERE domain = ?1 AND local = ?2 ORDER BY own DESC LIMIT 1")               \
    X(ADDRESS_EACH, "SELECT address.local, domain.name, account.address FROM address"                                  \
                    " JOIN domain ON domain.id = address.domain JOIN account ON account.id = address.account"          \
                    " WHERE address.own = 0 ORDER BY domain.name, address.local, account.address")                     \
    X(ADDRESS_OLDEST, "SELECT account.id, account.public_key, account.state FROM address"                              \
                      " JOIN account ON account.id = address.account"                                                  \
                      " WHERE address.domain = ?1 ORDER BY account.id LIMIT 1")                                        \
    X(CREDENTIAL_ADD, "INSERT INTO credential(account, kind, label, scope, salt, memory, passes, verifier, wrapped,"   \
                      " stored_key, server_key, scram_wrapped, created, used)"                                         \
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0)")                            \
    X(CREDENTIAL_EACH, "SELECT id, account, kind, label, scope, salt, memory, passes, verifier, wrapped, stored_key,"  \
                       " server_key, scram_wrapped, created, used FROM credential"                                     \
                       " WHERE account = ?1 AND kind = ?2 ORDER BY id")                                                \
    X(CREDENTIAL_USED, "UPDATE credential SET used = ?2 WHERE id = ?1")                                                \
    X(CREDENTIAL_REMOVE, "DELETE FROM credential WHERE account = ?1 AND kind = ?2 AND (?3 = 0 OR id = ?3)")            \
    X(COUNTS, "SELECT (SELECT count(*) FROM domain), (SELECT count(*) FROM account)")                                  \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                                        \
    X(COMMIT, "COMMIT")                                                                                                \
    X(ROLLBACK, "ROLLBACK")

enum statement {
#define X(name, text) STATEMENT_##name,
    STATEMENTS(X)
#undef X
        STATEMENT_COUNT
};

struct directory {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* The statement, prepared once, reset and without values. It stays the directory's. */
MUST_USE int directory_statement(struct directory *directory, enum statement which, sqlite3_stmt **ret_statement);

/* 1: a row; 0: the end; a fault. At the end and on a fault the statement is reset. */
MUST_USE int directory_step(sqlite3_stmt *statement);

/* For statements without rows. */
MUST_USE int directory_run(sqlite3_stmt *statement);

void directory_bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t len);
void directory_bind_text(sqlite3_stmt *statement, int at, const char *text);
void directory_bind_number(sqlite3_stmt *statement, int at, uint64_t number);

/* Of the row at hand. False where the value has another length. */
bool directory_read_blob(sqlite3_stmt *statement, int column, void *into, size_t len);
uint64_t directory_read_number(sqlite3_stmt *statement, int column);
bool directory_read_text(sqlite3_stmt *statement, int column, char *into, size_t room);

/* DIRECTORY_OK and its number, or DIRECTORY_NONE. */
MUST_USE int directory_domain_id(struct directory *directory, const char *domain, uint64_t *ret_id);
