#pragma once

#include "base/buf.h"
#include "crypto/secret.h"

/*
 * The checkpoint file: a few bytes that bound how much of the log has to be replayed. Written beside and renamed, so
 * that there is always a whole one; sealed, as it names accounts.
 */
#define CHECKPOINT_MAX (UINT64_C(1) << 30)

enum checkpoint_result { CHECKPOINT_OK, CHECKPOINT_NONE };

/* Durable when it returns 0. */
MUST_USE int checkpoint_write(int dir, span_t key, span_t plain);

/* Appends to *plain. CHECKPOINT_NONE: there is none, or it does not open: then the whole log has to be replayed. */
MUST_USE int checkpoint_read(int dir, span_t key, struct buf *plain);
