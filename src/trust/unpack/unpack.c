#include "trust/unpack/unpack.h"

#include "trust/unpack/inflate.h"
#include "trust/unpack/zip.h"

static bool is_gzip(span_t bytes)
{
    return span_starts(bytes, SPAN("\x1f\x8b"));
}

/* What follows the last member and is none is padding, and passed over, as gzip itself does. */
static int unpack_gzip(span_t packed, struct inflate_limits *limits, struct buf *plain)
{
    for (unsigned members = 0; members == 0 || is_gzip(packed); members++) {
        size_t used = 0;
        if (members == UNPACK_MEMBERS_MAX)
            return UNPACK_UNSUPPORTED;
        int result = inflate_append(INFLATE_GZIP, packed, limits, plain, &used);
        if (result != UNPACK_OK)
            return result;
        packed = span_from(packed, used);
    }
    return UNPACK_OK;
}

/* The directory, at the end, says where the file is, how long, and what its checksum is (§4.3.12). */
static int unpack_zip(span_t packed, struct inflate_limits *limits, struct buf *plain)
{
    struct zip_file file;
    int result = zip_find(packed, &file);
    if (result != UNPACK_OK)
        return result;
    if (file.plain_len > limits->max)
        return UNPACK_TOO_LARGE;
    size_t before = buf_len(plain);
    size_t used = 0;
    if (file.is_stored)
        result = file.data.len == file.plain_len ? buf_append(plain, file.data) : (int)UNPACK_MALFORMED;
    else
        result = inflate_append(INFLATE_BARE, file.data, limits, plain, &used);
    if (result != UNPACK_OK)
        return result;
    span_t made = span_from(buf_span(plain), before);
    if ((!file.is_stored && used != file.data.len) || made.len != file.plain_len ||
        inflate_checksum(made) != file.checksum)
        return UNPACK_MALFORMED;
    return UNPACK_OK;
}

int unpack(span_t packed, size_t max, struct buf *plain)
{
    struct inflate_limits limits = {.max = max, .ratio = UNPACK_RATIO_MAX, .ratio_free = UNPACK_RATIO_FREE};
    size_t before = buf_len(plain);
    int result = UNPACK_NO_ARCHIVE;
    if (is_gzip(packed))
        result = unpack_gzip(packed, &limits, plain);
    else if (zip_is(packed))
        result = unpack_zip(packed, &limits, plain);
    if (result != UNPACK_OK)
        buf_truncate(plain, before);
    return result;
}
