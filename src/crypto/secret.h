#pragma once

#include "base/scope.h"
#include "base/span.h"

/*
 * Secret bytes: in locked memory that no core file holds, between guard pages, wiped when freed. The log's field macros
 * do not accept one.
 */
struct secret;

#define SECRET_MAX 65536U

MUST_USE int secret_new(size_t len, struct secret **ret_secret); /* zeroed; -EINVAL beyond SECRET_MAX */
MUST_USE int secret_new_random(size_t len, struct secret **ret_secret);
MUST_USE int secret_copy(span_t bytes, struct secret **ret_secret);
MUST_USE int secret_take(void *bytes, size_t len, struct secret **ret_secret); /* a copy; wipes bytes in any case */
void secret_free(struct secret *secret);

/* All of these live as long as the secret. */
span_t secret_span(const struct secret *secret); /* SPAN_NONE for NULL */
const uint8_t *secret_bytes(const struct secret *secret);
uint8_t *secret_edit(struct secret *secret);
size_t secret_len(const struct secret *secret);

/* In a time that depends on the lengths alone. */
bool secret_equal(span_t one, span_t other);

/* For secret bytes that have to stand elsewhere for a moment; not optimised away. */
void secret_wipe(void *bytes, size_t len);

void random_bytes(void *into, size_t len);

SCOPE_OF(secret)
