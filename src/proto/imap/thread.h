#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

/*
 * Threads (RFC 5256 §3). Pure. Messages are added with what their headers say, and become a forest of nodes, which is
 * written as THREAD answers it. A node without a number stands for a message that is not there. Nothing recurses: how
 * deep a thread goes is up to strangers.
 */
struct imap_thread_node {
    struct imap_thread_node *parent;
    struct imap_thread_node *first;
    struct imap_thread_node *next; /* sibling */
    uint32_t number;               /* 0: not there */
    int64_t date;
    uint64_t subject;
    bool is_reply;
};

/* Texts are their hashes: under a key of ours, as strangers choose them. */
struct imap_thread_message {
    uint32_t number;
    int64_t date;
    uint64_t subject; /* of the base subject, folded; 0: it has none */
    bool is_reply;
    bool has_id;
    uint64_t id; /* of the Message-ID */
    const uint64_t *references;
    size_t reference_count;
};

struct imap_threads {
    struct arena *arena;          /* of the nodes; the caller's */
    struct map *ids;              /* hash of a Message-ID to its node */
    struct imap_thread_node *all; /* chained by `next`, the latest first, until they are put in place */
    struct imap_thread_node root; /* its children are the threads */
    size_t count;                 /* of all nodes */
};

/* -ENOMEM. imap_threads_deinit in any case. */
MUST_USE int imap_threads_init(struct imap_threads *threads, struct arena *arena);
void imap_threads_deinit(struct imap_threads *threads);

MUST_USE int imap_threads_add(struct imap_threads *threads, const struct imap_thread_message *message);
/* THREAD=REFERENCES: puts in place what was added. */
MUST_USE int imap_threads_link(struct imap_threads *threads);

/* THREAD=ORDEREDSUBJECT: adds a message below parent, or, with NULL, as a thread; in the order of the answer. */
MUST_USE int imap_threads_append(struct imap_threads *threads, uint32_t number, struct imap_thread_node *parent,
                                 struct imap_thread_node **ret_node);

/* `(1)(2 3 (4)(5))` */
MUST_USE int imap_threads_write(const struct imap_threads *threads, struct buf *out);
