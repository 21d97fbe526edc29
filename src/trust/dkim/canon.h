#pragma once

#include "base/buf.h"
#include "mime/header.h"

/* Canonicalization (RFC 6376 §3.4). */
enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* Appends a header field, its line end included (RFC 6376 §3.4.1, §3.4.2). */
int dkim_canon_field(enum dkim_canon canon, span_t field, struct buf *out);
