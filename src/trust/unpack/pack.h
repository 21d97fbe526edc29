#pragma once

#include "base/buf.h"

/* Appends the bytes as a gzip file (RFC 1952) of one member, without a name or a time. -ENOBUFS, -ENOMEM. */
MUST_USE int pack_gzip(span_t plain, struct buf *packed);
