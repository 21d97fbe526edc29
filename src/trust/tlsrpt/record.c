#include "trust/tlsrpt/record.h"

#include "trust/mailto.h"
#include "trust/taglist.h"
#include "trust/versioned.h"

static int read_address(span_t uri, struct arena *arena, struct tlsrpt_addresses *addresses)
{
    struct tlsrpt_address address = {.address = uri};
    if (span_starts_nocase(uri, SPAN("mailto:"))) {
        int result = mailto_address(span_from(uri, 7), arena, &address.address);
        if (result != 0 || address.address.len == 0)
            return result;
    } else if (span_starts_nocase(uri, SPAN("https://"))) {
        address.is_https = true;
    } else {
        return 0;
    }
    addresses->list[addresses->count++] = address;
    return 0;
}

int tlsrpt_record_parse(span_t text, struct arena *arena, struct tlsrpt_addresses *ret_addresses)
{
    struct taglist list;
    if (taglist_parse(text, &list) != TAGLIST_OK || !taglist_is_version(&list, "TLSRPTv1"))
        return TLSRPT_RECORD_NONE;
    struct tlsrpt_addresses addresses = {0};
    span_t rest = taglist_value(&list, "rua");
    span_t uri;
    while (addresses.count < TLSRPT_ADDRESSES_MAX && span_cut(&rest, ',', &uri)) {
        int result = read_address(span_trim(uri), arena, &addresses);
        if (result != 0)
            return result;
    }
    *ret_addresses = addresses;
    return addresses.count > 0 ? TLSRPT_RECORD_FOUND : TLSRPT_RECORD_NONE;
}

int tlsrpt_record_find(const struct dns_lookup *lookup, const char *domain, struct arena *arena,
                       struct tlsrpt_addresses *ret_addresses)
{
    span_t text;
    int result = versioned_find(lookup, "_smtp._tls", domain, "TLSRPTv1", arena, &text);
    if (result < 0)
        return result;
    if (result == VERSIONED_LATER)
        return TLSRPT_RECORD_LATER;
    return result == VERSIONED_FOUND ? tlsrpt_record_parse(text, arena, ret_addresses) : (int)TLSRPT_RECORD_NONE;
}
