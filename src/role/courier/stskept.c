#include "role/courier/stskept.h"

#include <errno.h>

#include "base/bytes.h"

#define VERSION 1U
#define FIXED 20U
#define DOMAIN_MAX 255U

int sts_kept_write(const struct sts_kept *kept, struct buf *bytes)
{
    uint8_t fixed[FIXED] = {VERSION};
    if (kept->id.len > MTASTS_ID_MAX || kept->domain.len > DOMAIN_MAX || kept->text.len > MTASTS_POLICY_MAX)
        return -EINVAL;
    bytes_put_u64(fixed + 1, (uint64_t)kept->fetched);
    bytes_put_u64(fixed + 9, (uint64_t)kept->ends);
    fixed[17] = (uint8_t)kept->id.len;
    bytes_put_u16(fixed + 18, (uint16_t)kept->domain.len);
    buf_append(bytes, span_of(fixed, sizeof(fixed)));
    buf_append(bytes, kept->id);
    buf_append(bytes, kept->domain);
    return buf_append(bytes, kept->text);
}

bool sts_kept_read(span_t bytes, struct sts_kept *ret_kept)
{
    if (bytes.len < FIXED || bytes.at[0] != VERSION)
        return false;
    size_t id_len = bytes.at[17];
    size_t domain_len = bytes_get_u16(bytes.at + 18);
    if (id_len > MTASTS_ID_MAX || domain_len == 0 || domain_len > DOMAIN_MAX ||
        FIXED + id_len + domain_len >= bytes.len)
        return false;
    *ret_kept = (struct sts_kept){
        .fetched = (int64_t)bytes_get_u64(bytes.at + 1),
        .ends = (int64_t)bytes_get_u64(bytes.at + 9),
        .id = span_slice(bytes, FIXED, id_len),
        .domain = span_slice(bytes, FIXED + id_len, domain_len),
        .text = span_from(bytes, FIXED + id_len + domain_len),
    };
    return ret_kept->text.len <= MTASTS_POLICY_MAX;
}
