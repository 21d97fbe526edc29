#pragma once

#include <sqlite3.h>

#include "base/buf.h"
#include "base/map.h"
#include "vault/email.h"
#include "vault/keyword.h"
#include "vault/mailbox.h"
#include "vault/member.h"
#include "vault/vault.h"

/*
 * Inside the vault: its state, and how its files run statements and make their changes in steps.
 *
 * All ids (of mailboxes and emails) are the modification sequence at which the thing was made: unique, rising, never
 * reused, and no counter has to be written for them. The highest one is found again from the mailboxes, as every
 * change touches one of them or leaves a row in `gone`.
 */
enum vault_statement {
#define STATEMENT(name, sql) STATEMENT_##name,
#include "vault/statements.def"
#undef STATEMENT
    STATEMENT_COUNT
};

/* sorting.c: the row of keys that is being changed. */
struct engine_sorting {
    uint64_t block;
    struct buf keys;
    struct buf spare;
    bool changed; /* and not yet written */
};

struct vault {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    uint64_t modseq;
    uint64_t modseq_before;           /* the open transaction */
    bool open;                        /* between vault_begin and its end, even where SQLite has rolled back by itself */
    int fault;                        /* what makes the open transaction fail */
    enum vault_durability durability; /* that SQLite is set to */
    uint8_t hash_key[16];             /* of Message-IDs: strangers choose those */
    struct map *recent_references;    /* hash to thread (thread.c), or NULL where not yet needed */
    char *keywords[VAULT_KEYWORDS_MAX];
    char name[VAULT_NAME_MAX + 1]; /* lent out by vault_mailbox_get */
    struct buf cache;              /* lent out by vault_email_get_cache */
    uint64_t index_mark;           /* index.c */
    uint64_t *known_words;         /* index.c: NULL while nothing is added */
    struct buf new_words;          /* index.c: not yet in the vocabulary */
    struct engine_sorting sorting;
};

/* --- statements: numbers are bound from 1 on; results negative, or 0, or ENGINE_ROW ------------------------------ */

#define ENGINE_ROW 1

MUST_USE int engine_prepare(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count,
                            sqlite3_stmt **ret_statement);
MUST_USE int engine_next(struct vault *vault, sqlite3_stmt *statement);
MUST_USE int engine_finish(struct vault *vault, sqlite3_stmt *statement); /* runs to the end, ignoring rows */
MUST_USE int engine_run(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count);
/* The first column of each row, room of them at most. */
MUST_USE int engine_list(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count,
                         uint64_t *ret_list, size_t room, size_t *ret_count);
/* The first column of the only row; VAULT_NOT_FOUND. */
MUST_USE int engine_ask(struct vault *vault, enum vault_statement id, const int64_t *numbers, size_t count,
                        int64_t *ret_number);
/* The same, for statements whose one parameter is a text. */
MUST_USE int engine_ask_text(struct vault *vault, enum vault_statement id, span_t text, int64_t *ret_number);
/* The first number of the only row of a statement that is seldom run. */
MUST_USE int engine_ask_once(struct vault *vault, const char *sql, int64_t *ret_number);
MUST_USE int engine_execute(struct vault *vault, const char *sql);
/* A fault of SQLite's as ours; remembers it where it ended the open transaction. */
MUST_USE int engine_fault(struct vault *vault, int sqlite_result);
MUST_USE int engine_bind_text(struct vault *vault, sqlite3_stmt *statement, int at, span_t text);
MUST_USE int engine_bind_blob(struct vault *vault, sqlite3_stmt *statement, int at, span_t blob);
void engine_reset(sqlite3_stmt **statement);

#define AUTO_RESET __attribute__((cleanup(engine_reset)))
#define NUMBERS(...) (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define NO_NUMBERS NULL, 0

/* --- steps: a change of several statements that happens wholly or not at all ------------------------------------- */

struct engine_step {
    bool own; /* a transaction of its own; else a savepoint in the open one */
    uint64_t modseq;
};

MUST_USE int engine_step_begin(struct vault *vault, struct engine_step *ret_step);
/* Keeps the step where result is 0, undoes it where not; returns result, or the fault of keeping. */
MUST_USE int engine_step_end(struct vault *vault, const struct engine_step *step, int result);

/* --- shared by the files of the vault ----------------------------------------------------------------------------- */

/* What a change does to a mailbox's counters; applied at its end. */
struct engine_counters {
    int64_t uids;
    int64_t total;
    int64_t unseen;
    int64_t deleted;
    int64_t bytes;
    int64_t expunges;
    uint64_t flagged; /* the modseq, where flags were changed */
};

void engine_count(struct engine_counters *counters, int64_t sign, uint64_t flags, uint64_t size);
MUST_USE int engine_counters_put(struct vault *vault, uint64_t mailbox, const struct engine_counters *counters,
                                 uint64_t modseq);

struct engine_brief {
    uint32_t uidnext;
    uint32_t uidvalidity;
    uint64_t modseq;
    uint64_t horizon;  /* expunges up to this modseq may have been forgotten */
    uint64_t expunges; /* that are remembered */
};

/* Of a mailbox that can be selected; VAULT_NOT_FOUND. */
MUST_USE int engine_mailbox_brief(struct vault *vault, uint64_t mailbox, struct engine_brief *ret_brief);

/* Emails of these ids, both included, have left a mailbox (leaving.h). */
MUST_USE int engine_leaving_add(struct vault *vault, uint64_t first, uint64_t last);
/* Removes all members, without a trace in the change log. */
MUST_USE int engine_mailbox_empty(struct vault *vault, uint64_t mailbox);

/* Walks members in all ranges, chunk by chunk, so that fn may change them. UIDs given out meanwhile are not met. */
struct engine_walk {
    uint64_t mailbox;
    const struct vault_range *ranges;
    size_t count;
    uint64_t since; /* only those with a higher modseq */
};
MUST_USE int engine_walk(struct vault *vault, const struct engine_walk *walk, vault_member_fn fn, void *arg);

/*
 * Of what a walk meets, what one statement can change: members from the first to the last UID, within one of its
 * ranges, so that the walk meets all that are between them too.
 */
struct engine_stretch {
    const struct engine_walk *walk;
    struct vault_range uids; /* a first of 0: none yet */
    size_t range;            /* of the walk */
};
/* Adds the next one, in the walk's order. True: a new stretch begins with it, and *ret_done is the one before. */
MUST_USE bool engine_stretch_add(struct engine_stretch *stretch, uint32_t uid, struct vault_range *ret_done);

MUST_USE int engine_keywords_load(struct vault *vault);
void engine_keywords_free(struct vault *vault);

/* The thread an email belongs to, by its references; `id` where it begins one. Remembers them. */
MUST_USE int engine_thread_find(struct vault *vault, const struct vault_new_email *email, uint64_t id,
                                uint64_t *ret_thread);

/* What is in memory of the references is not true any more, or not wanted. */
void engine_references_forget(struct vault *vault);

/* What an email is sorted by, in the open transaction; written before it, or the step at hand, ends. */
void engine_sorting_init(struct vault *vault);
void engine_sorting_forget(struct vault *vault); /* what is not written is undone; frees */
MUST_USE int engine_sorting_flush(struct vault *vault);
MUST_USE int engine_sorting_add(struct vault *vault, uint64_t id, span_t key); /* an empty one is none */
MUST_USE int engine_sorting_remove(struct vault *vault, uint64_t id);

MUST_USE int engine_index_load(struct vault *vault);

/* Schema: brings it up to date, and fills a new vault. */
MUST_USE int engine_schema(struct vault *vault, uint32_t now_seconds);

/* A mailbox name brought to its one form in vault-owned or given memory: VAULT_NAME_BAD, VAULT_LIMIT. */
MUST_USE int engine_name(span_t name, char ret_name[VAULT_NAME_MAX + 1]);
