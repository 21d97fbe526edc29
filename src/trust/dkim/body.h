#pragma once

#include "base/scope.h"
#include "base/span.h"
#include "trust/dkim/canon.h"

/*
 * SHA-256 over a message's body in all the forms its signatures want, in one pass and whatever the chunks it comes in.
 * Signatures that want the same share one hash; no more than DKIM_BODY_HASHES_MAX are taken on.
 */
struct dkim_body;

#define DKIM_HASH_SIZE 32U
#define DKIM_BODY_HASHES_MAX 12U
#define DKIM_NO_LIMIT UINT64_MAX

enum dkim_body_result { DKIM_BODY_OK, DKIM_BODY_TOO_MANY };

MUST_USE int dkim_body_new(struct dkim_body **ret_body); /* 0 or -ENOMEM */
void dkim_body_free(struct dkim_body *body);

/* Before the first chunk. limit: of the canonical body, so many bytes (RFC 6376 §3.5, l=). *ret_index is what it is
 * asked for by afterwards. An enum dkim_body_result, or -ENOMEM. */
MUST_USE int dkim_body_want(struct dkim_body *body, enum dkim_canon canon, uint64_t limit, size_t *ret_index);

void dkim_body_add(struct dkim_body *body, span_t chunk);

/* After the last chunk, once. 0, or -EIO where the library failed on any of them. */
MUST_USE int dkim_body_finish(struct dkim_body *body);

/* After that: the hash, and how long the canonical body was, limit or not. */
const uint8_t *dkim_body_hash(const struct dkim_body *body, size_t index, uint64_t *ret_len);

SCOPE_OF(dkim_body)
