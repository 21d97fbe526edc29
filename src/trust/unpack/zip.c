#include "trust/unpack/zip.h"

#include "base/bytes.h"

/* APPNOTE.TXT 6.3.10: the local header (§4.3.7), the directory's (§4.3.12), and the record at its end (§4.3.16). */
#define LOCAL_SIZE 30U
#define CENTRAL_SIZE 46U
#define END_SIZE 22U
#define COMMENT_MAX 65535U
#define LOCAL_MARK SPAN("PK\x03\x04")
#define CENTRAL_MARK SPAN("PK\x01\x02")
#define END_MARK SPAN("PK\x05\x06")

#define FLAG_ENCRYPTED 0x2041U /* bit 0, and those of strong encryption and of a masked directory (§4.4.4) */
#define METHOD_STORED 0U
#define METHOD_DEFLATED 8U
#define ELSEWHERE_16 0xffffU /* the number stands in a zip64 field (§4.4.1.4) */
#define ELSEWHERE_32 0xffffffffU

bool zip_is(span_t bytes)
{
    return span_starts(bytes, LOCAL_MARK) || span_starts(bytes, END_MARK);
}

/* The last record whose comment ends where the archive does. */
static bool find_end(span_t archive, span_t *ret_end)
{
    for (size_t len = END_SIZE; len <= archive.len && len <= END_SIZE + COMMENT_MAX; len++) {
        span_t end = span_from(archive, archive.len - len);
        if (span_starts(end, END_MARK) && bytes_get_u16(end.at + 20) == len - END_SIZE) {
            *ret_end = end;
            return true;
        }
    }
    return false;
}

/* The one entry of the directory, whole. */
static int find_central(span_t archive, span_t *ret_central)
{
    span_t end = SPAN_NONE;
    if (!find_end(archive, &end))
        return UNPACK_MALFORMED;
    const uint16_t files = bytes_get_u16(end.at + 10);
    const uint32_t len = bytes_get_u32(end.at + 12);
    const uint32_t offset = bytes_get_u32(end.at + 16);
    if (files == ELSEWHERE_16 || len == ELSEWHERE_32 || offset == ELSEWHERE_32 || files > 1 ||
        bytes_get_u16(end.at + 4) != 0 || bytes_get_u16(end.at + 6) != 0)
        return UNPACK_UNSUPPORTED;
    const size_t end_at = (size_t)(end.at - archive.at);
    if (files != 1 || bytes_get_u16(end.at + 8) != 1 || offset > end_at || len > end_at - offset)
        return UNPACK_MALFORMED;
    span_t central = span_slice(archive, offset, len);
    if (central.len < CENTRAL_SIZE || !span_starts(central, CENTRAL_MARK))
        return UNPACK_MALFORMED;
    *ret_central = central;
    return UNPACK_OK;
}

/* What the local header says may be left open there (§4.4.4, bit 3), so only where the file's bytes start is taken
 * from it. They lie before the directory. */
static int find_data(span_t before, const struct zip_file *file, uint32_t local_at, uint32_t packed_len,
                     span_t *ret_data)
{
    span_t local = span_from(before, local_at);
    if (local.len < LOCAL_SIZE || !span_starts(local, LOCAL_MARK))
        return UNPACK_MALFORMED;
    if ((bytes_get_u16(local.at + 6) & FLAG_ENCRYPTED) != 0)
        return UNPACK_UNSUPPORTED;
    if (bytes_get_u16(local.at + 8) != (file->is_stored ? METHOD_STORED : METHOD_DEFLATED))
        return UNPACK_MALFORMED;
    span_t data = span_from(local, (size_t)LOCAL_SIZE + bytes_get_u16(local.at + 26) + bytes_get_u16(local.at + 28));
    if (data.len < packed_len)
        return UNPACK_MALFORMED;
    *ret_data = span_upto(data, packed_len);
    return UNPACK_OK;
}

int zip_find(span_t archive, struct zip_file *ret_file)
{
    span_t central = SPAN_NONE;
    int result = find_central(archive, &central);
    if (result != UNPACK_OK)
        return result;
    const uint16_t method = bytes_get_u16(central.at + 10);
    const uint32_t packed_len = bytes_get_u32(central.at + 20);
    const uint32_t plain_len = bytes_get_u32(central.at + 24);
    const uint32_t local_at = bytes_get_u32(central.at + 42);
    if ((bytes_get_u16(central.at + 8) & FLAG_ENCRYPTED) != 0 || (method != METHOD_STORED && method != METHOD_DEFLATED))
        return UNPACK_UNSUPPORTED;
    if (packed_len == ELSEWHERE_32 || plain_len == ELSEWHERE_32 || local_at == ELSEWHERE_32)
        return UNPACK_UNSUPPORTED;
    struct zip_file file = {
        .plain_len = plain_len, .checksum = bytes_get_u32(central.at + 16), .is_stored = method == METHOD_STORED};
    span_t before = span_upto(archive, (size_t)(central.at - archive.at));
    result = find_data(before, &file, local_at, packed_len, &file.data);
    if (result == UNPACK_OK)
        *ret_file = file;
    return result;
}
