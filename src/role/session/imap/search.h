#pragma once

#include "proto/imap/match.h"
#include "role/session/imap/imap.h"
#include "role/session/imap/source.h"
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
    uint64_t mask;             /* of flags */
    struct search_node *children;
    struct search_node *next;
};

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_NEEDS_HEADER, SEARCH_NEEDS_WHOLE };

/* One message: what is known of it so far. */
struct search_subject {
    const struct vault_member *member;
    uint32_t number;
    bool recent;
    const struct mime_part *header; /* NULL: not read */
    const struct mime_part *whole;
};

enum search_fault { SEARCH_BAD_CHARSET = 1, SEARCH_BAD_SET = 2 };

/* search_program_free in any case afterwards. */
MUST_USE int search_program_make(struct run *run, struct search_node **ret_program);
void search_program_free(struct search_node *program);

/* Asks the index for every text in the program. 0, -ECANCELED, or a fault. */
MUST_USE int search_look_up(struct task *task, struct vault *vault, struct search_node *program);

/* SEARCH_YES or SEARCH_NO where the index decides, else SEARCH_NEEDS_WHOLE. */
enum search_answer search_ask_index(const struct search_node *node, const struct vault_member *member);

/* An enum search_answer, or -ENOMEM. */
MUST_USE int search_decide(const struct search_node *node, const struct search_subject *subject);
