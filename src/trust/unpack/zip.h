#pragma once

#include "trust/unpack/unpack.h"

/* The one file of a zip archive (APPNOTE.TXT 6.3.10 §4.3): where its bytes are, and what its directory says of it. */
struct zip_file {
    span_t data; /* of the archive */
    uint64_t plain_len;
    uint32_t checksum;
    bool is_stored; /* else deflated */
};

bool zip_is(span_t bytes); /* by how it starts */

/* UNPACK_OK, UNPACK_MALFORMED, UNPACK_UNSUPPORTED. */
MUST_USE int zip_find(span_t archive, struct zip_file *ret_file);
