#pragma once

#include "trust/arc/chain.h"
#include "trust/dkim/sign.h"

/* Sealing: what has to be said by whoever passes a message on (RFC 8617 §5.1). */
struct arc_sealing {
    const struct arc_chain *chain; /* as it was found, finished */
    span_t host;                   /* authserv-id */
    span_t results;                /* "; method=result …", as authres_append_results() has it */
    span_t domain;                 /* normal */
    span_t selector;
    enum dkim_algorithm algorithm;
    uint64_t now;
    const uint8_t *body_hash; /* relaxed */
};

enum arc_seal_outcome {
    ARC_SEALED,
    ARC_NOT_SEALED, /* the chain has failed before, or is as long as one may be */
};

/* Appends the three fields, newest first. header: the message's, as it is passed on. An enum arc_seal_outcome, -ENOMEM,
 * -ENOBUFS, -EIO, or what the signer answers. */
MUST_USE int arc_seal(const struct arc_sealing *sealing, const struct dkim_header *header,
                      const struct dkim_signer *signer, struct buf *lines);
