#pragma once

#include "proto/imap/match.h"
#include "role/session/imap/imap.h"
#include "role/session/imap/source.h"
#include "vault/fuzzy.h"
#include "vault/search.h"

/*
 * A SEARCH program (RFC 3501 §6.4.4), made ready for many messages: sets in order, dates and flags as numbers, texts
 * in UTF-8 and folded once. What the narrow row of a message does not decide is left open, and decided with its header,
 * or with all of it.
 */
struct search_node {
    enum imap_search_key_kind kind;
    const struct imap_search_key *key;
    struct imap_match *match;  /* of keys that look into the message */
    struct vault_search *hits; /* what the index knows of that, or NULL */
    struct vault_fuzzy *fuzzy; /* instead of both, where close words will do (RFC 6203 §3), or NULL */
    unsigned score;            /* that the message at hand got by it */
    uint64_t mask;             /* of flags; an id */
    int64_t moment;            /* of OLDER and YOUNGER, in seconds */
    struct search_node *children;
    struct search_node *next;
};

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_NEEDS_HEADER, SEARCH_NEEDS_WHOLE };

/* One message: what is known of it so far. */
struct search_subject {
    const struct vault_member *member;
    struct vault *vault;
    uint32_t number;
    bool recent;
    uint64_t thread;                /* once the header is read */
    const struct mime_part *header; /* NULL: not read */
    const struct mime_part *whole;
};

enum search_fault { SEARCH_BAD_CHARSET = 1 };

/* search_program_free in any case afterwards. */
MUST_USE int search_program_make(struct run *run, struct search_node **ret_program);
void search_program_free(struct search_node *program);

/* Asks the index for the first texts in the program; for others the messages are read. 0, -ECANCELED, or a fault. */
MUST_USE int search_look_up(struct task *task, struct vault *vault, struct search_node *program);

/*
 * The emails that can match at all, where the index narrows them down to so few that a walk through the mailbox would
 * cost more: *ret_ids, rising, to be freed. Else NULL. 0 or a fault.
 */
MUST_USE int search_narrow_down(struct vault *vault, const struct search_node *program, uint64_t **ret_ids,
                                size_t *ret_count);

/*
 * fuzzy.c: makes node->fuzzy of a node whose match is made, where its key is fuzzy and of a kind that can be. 0 or a
 * fault. Asks the index for it, as search_look_up; an enum search_answer of one message, or -ENOMEM.
 */
MUST_USE int search_fuzzy_make(struct vault *vault, struct search_node *node);
MUST_USE int search_fuzzy_look_up(struct task *task, struct search_node *node);
MUST_USE int search_fuzzy_decide(struct search_node *node, const struct search_subject *subject);
/* How relevant the message is that was decided last, 1 to 100 (RFC 6203 §4): the mean of its scores. */
uint8_t search_fuzzy_relevancy(const struct search_node *program);
/* Before the next message. */
void search_fuzzy_reset(struct search_node *program);

/* lookup.c: the fields of the index that a kind of key looks into. */
unsigned search_fields_of(enum imap_match_kind kind);

/* SEARCH_YES or SEARCH_NO where the index decides, else SEARCH_NEEDS_WHOLE. */
enum search_answer search_ask_index(const struct search_node *node, const struct vault_member *member);

/* An enum search_answer, or -ENOMEM. */
MUST_USE int search_decide(struct search_node *node, const struct search_subject *subject);

/* What was found: UIDs, rising; uids is to be freed. */
struct search_found {
    uint32_t *uids;
    size_t count;
    uint64_t modseq; /* the highest of those found */
    uint8_t *scores; /* of each, where they are asked for, or NULL; the arena's */
};

/* Carries out the command's keys. SEARCH_BAD_CHARSET: say search_refuse. */
MUST_USE int search_run(struct task *task, struct run *run, struct search_found *ret_found);
int search_refuse(struct run *run, int outcome);

/*
 * Carries out the keys on what has changed since then, or has come since: *ret_changed are those that were looked at,
 * *ret_found those of them that match.
 */
struct search_since {
    uint64_t modseq;
    uint32_t uid; /* the last one there was */
};
MUST_USE int search_again(struct task *task, struct run *run, const struct search_since *since,
                          struct search_found *ret_changed, struct search_found *ret_found);

/* A search puts its sets in order for the mailbox at hand, so each gets its own. As deep as the grammar allows. */
MUST_USE int search_copy_keys(struct arena *arena, const struct imap_search_key *from, struct imap_search_key **link);

/* answer.c: UIDs become the numbers the command is answered in. */
void search_number(const struct run *run, uint32_t *uids, size_t count);
/* Keeps what is to be saved of the result (RFC 5182 §2.1, §2.4). uids: in the order of the answer. */
MUST_USE int search_save(struct run *run, const uint32_t *uids, size_t count);
/* `* ESEARCH` (RFC 4731 §3.1, RFC 5267 §3.1, RFC 9394 §3.1), numbers in the order of the answer. */
void search_write_extended(struct run *run, const uint32_t *numbers, const uint8_t *scores, size_t count,
                           uint64_t modseq);
/* The same of a mailbox that need not be the selected one (RFC 7377 §2.1), in UIDs. */
void search_write_in(struct run *run, span_t mailbox, uint32_t uidvalidity, const struct search_found *found);
/* ` 2 3 5` */
MUST_USE int search_write_numbers(struct task *task, struct run *run, const uint32_t *numbers, size_t count);
