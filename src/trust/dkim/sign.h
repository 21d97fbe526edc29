#pragma once

#include "trust/dkim/header.h"

/*
 * Signing. The hash is made here; the signature by whoever has the key, behind the callback.
 */
struct dkim_signer {
    /* Appends the signature of the hash, as bytes (RSA: PKCS #1 v1.5 with SHA-256; Ed25519: over the hash itself). May
     * suspend the calling task. 0 or a fault. */
    int (*sign)(void *context, enum dkim_algorithm algorithm, span_t selector, const uint8_t hash[DKIM_HASH_SIZE],
                struct buf *signature);
    void *context;
};

struct dkim_signing {
    enum dkim_kind kind;
    enum dkim_algorithm algorithm; /* DKIM_RSA_SHA256 or DKIM_ED25519_SHA256 */
    span_t domain;                 /* normal */
    span_t selector;
    uint64_t now;                   /* seconds since 1970 */
    uint64_t lifetime;              /* seconds, or 0: does not expire */
    const uint8_t *body_hash;       /* of the body in its relaxed form; NULL of a seal */
    unsigned instance;              /* of ARC */
    const char *chain;              /* of a seal: none, pass or fail */
    const struct dkim_header *seal; /* of a seal: the fields that come before it, in the order of RFC 8617 §5.1.1 */
};

/*
 * Appends one whole field with its line end, relaxed in header and body. The fields that say what a message is are
 * signed once more often than they are there, so that none can be added (RFC 6376 §8.15). header is the message's as it
 * will be sent, below the new field. 0, -ENOMEM, -ENOBUFS, -EIO, or what the signer answers.
 */
MUST_USE int dkim_sign(const struct dkim_signing *signing, const struct dkim_header *header,
                       const struct dkim_signer *signer, struct buf *lines);
