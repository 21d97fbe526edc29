#pragma once

#include "trust/unpack/unpack.h"

/* Deflated bytes (RFC 1951), undone in small pieces within limits. */
enum inflate_kind {
    INFLATE_BARE,
    INFLATE_GZIP, /* one member, with its header, checksum and length (RFC 1952 §2.3) */
};

struct inflate_limits {
    size_t max;        /* bytes of output, of all calls together */
    size_t ratio;      /* of output to input … */
    size_t ratio_free; /* … once there is more output than this */
    size_t in;         /* so far */
    size_t out;
};

/* Appends what packed starts with, up to its own end; *ret_used of packed were that. UNPACK_OK, _MALFORMED, _TOO_LARGE;
 * -ENOMEM, -ENOBUFS; what was appended so far stays. */
MUST_USE int inflate_append(enum inflate_kind kind, span_t packed, struct inflate_limits *limits, struct buf *plain,
                            size_t *ret_used);

uint32_t inflate_checksum(span_t bytes); /* the CRC-32 of both formats */
