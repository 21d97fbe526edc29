#pragma once

#include "trust/dkim/header.h"
#include "trust/dkim/key.h"

/*
 * Verification of DKIM signatures (RFC 6376 §6), also of what ARC has of them. In this order: dkim_header_index();
 * dkim_verifier_new(), which says to the body what hashes it needs; dkim_body_add() with each chunk and
 * dkim_body_finish(); dkim_verifier_finish(), which asks for the keys.
 */
#define DKIM_SIGNATURES_MAX 8U /* of a message; more are passed over (RFC 6376 §6.1) */
#define DKIM_SKEW 3600U        /* seconds by which a signer's clock may be ahead */

struct dkim_verdict {
    enum dkim_result result;
    const char *reason; /* unless it passed */
    struct dkim_signature signature;
    bool is_testing; /* the domain says that it only tries (RFC 6376 §3.6.1, t=y) */
    unsigned bits;   /* of the key; 0 where it was not found */
};

/* One signature with its place among the body's hashes. */
struct dkim_task {
    struct dkim_verdict verdict; /* DKIM_NONE until something is known */
    size_t body_hash;
};

/* Parses a field and says to the body what it needs. 0, -ENOMEM. */
MUST_USE int dkim_task_begin(struct dkim_task *task, enum dkim_kind kind, span_t field, struct dkim_body *body,
                             struct arena *arena);

/* Comes to a result. now: seconds since 1970. 0, -ENOMEM, -EIO, -ECANCELED. */
MUST_USE int dkim_task_end(struct dkim_task *task, const struct dkim_header *header, const struct dkim_body *body,
                           const struct dns_lookup *lookup, uint64_t now, struct arena *arena);

/* Finds the key and verifies a hash with it, into *verdict. 0, -ENOMEM, -ECANCELED. */
MUST_USE int dkim_verify_hash(struct dkim_verdict *verdict, const uint8_t hash[DKIM_HASH_SIZE],
                              const struct dns_lookup *lookup, struct arena *arena);

struct dkim_verifier {
    struct dkim_task tasks[DKIM_SIGNATURES_MAX];
    size_t count;
};

/* 0, -ENOMEM. The verifier is the arena's. */
MUST_USE int dkim_verifier_new(const struct dkim_header *header, struct dkim_body *body, struct arena *arena,
                               struct dkim_verifier **ret_verifier);
MUST_USE int dkim_verifier_finish(struct dkim_verifier *verifier, const struct dkim_header *header,
                                  const struct dkim_body *body, const struct dns_lookup *lookup, uint64_t now,
                                  struct arena *arena);

const char *dkim_result_text(enum dkim_result result); /* RFC 8601 §2.7.1 */
