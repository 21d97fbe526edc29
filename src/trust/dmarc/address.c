#include "trust/dmarc/address.h"

#include <errno.h>

#include "base/buf.h"
#include "trust/dmarc/record.h"
#include "trust/domain.h"
#include "trust/mailto.h"
#include "trust/versioned.h"

#define LABELS "._report._dmarc" /* RFC 7489 §7.1 */

/* RFC 7489 §6.4: digits, and a unit, of 1024 each. A size beyond all reports is none. */
static bool read_size(span_t text, uint64_t *ret_size)
{
    static const char units[] = "kmgt";
    unsigned shift = 0;
    uint64_t number = 0;
    if (text.len > 0 && !ascii_is_digit(text.at[text.len - 1])) {
        const uint8_t unit = ascii_lower(text.at[text.len - 1]);
        while (shift < sizeof(units) - 1 && (uint8_t)units[shift] != unit)
            shift++;
        if (shift++ == sizeof(units) - 1)
            return false;
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.at[i]))
            return false;
    if (text.len == 0)
        return false;
    bool is_small = span_to_u64(text, UINT64_MAX >> (10 * shift), &number) == 0;
    *ret_size = is_small ? number << (10 * shift) : DMARC_SIZE_NONE;
    return true;
}

bool dmarc_uri_parse(span_t uri, struct arena *arena, struct dmarc_address *ret_address)
{
    struct dmarc_address found = {.size_max = DMARC_SIZE_NONE};
    uri = span_trim(uri);
    if (!span_starts_nocase(uri, SPAN("mailto:")))
        return false;
    const size_t bang = span_find_last_byte(uri, '!'); /* one that belongs to the address is %21 */
    if (bang < uri.len) {
        if (!read_size(span_from(uri, bang + 1), &found.size_max))
            return false;
        uri = span_upto(uri, bang);
    }
    if (mailto_address(span_from(uri, 7), arena, &found.address) != 0 || found.address.len == 0)
        return false;
    *ret_address = found;
    return true;
}

/* The rua of the receiver's own record, if it has one, goes to the same host (RFC 7489 §7.1 step 6). */
static void replace(span_t text, span_t host, struct arena *arena, struct dmarc_address *address)
{
    struct dmarc_record record = {0};
    struct dmarc_address other;
    span_t rest;
    span_t first;
    span_t normal = SPAN_NONE;
    (void)!dmarc_record_parse(text, DMARC_RFC7489, &record);
    rest = record.rua;
    if (rest.len == 0 || !span_cut(&rest, ',', &first) || !dmarc_uri_parse(first, arena, &other) ||
        domain_normal(domain_of_mailbox(other.address), arena, &normal) != 0 || !span_equal(normal, host))
        return;
    *address = other;
}

/* Whether reports on the domain are welcome there: an enum versioned_outcome (RFC 7489 §7.1). */
static int verify(const struct dns_lookup *lookup, span_t policy_domain, struct arena *arena,
                  struct dmarc_address *address)
{
    span_t host = SPAN_NONE;
    span_t text = SPAN_NONE;
    int result = domain_normal(domain_of_mailbox(address->address), arena, &host);
    if (result != 0)
        return result == -EINVAL ? (int)VERSIONED_NONE : result;
    if (span_equal(domain_organizational(host), domain_organizational(policy_domain)))
        return VERSIONED_FOUND;
    AUTO_BUF struct buf prefix;
    buf_init(&prefix, DNS_NAME_MAX + sizeof(LABELS));
    (void)buf_append(&prefix, policy_domain);
    (void)buf_append_text(&prefix, LABELS);
    const char *name = arena_text(arena, host);
    const char *before = arena_text(arena, buf_span(&prefix));
    if (name == NULL || before == NULL || buf_fault(&prefix) != 0)
        return -ENOMEM;
    result = versioned_find(lookup, before, name, "DMARC1", arena, &text);
    if (result == VERSIONED_FOUND)
        replace(text, host, arena, address);
    return result == -EINVAL ? (int)VERSIONED_NONE : result;
}

static bool is_there(const struct dmarc_addresses *addresses, const struct dmarc_address *address)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (span_equal_nocase(addresses->list[i].address, address->address))
            return true;
    return false;
}

int dmarc_addresses_find(const struct dns_lookup *lookup, span_t policy_domain, span_t rua, struct arena *arena,
                         struct dmarc_addresses *ret_addresses)
{
    struct dmarc_addresses found = {.count = 0};
    span_t uri;
    for (unsigned looked = 0;
         looked < DMARC_URIS_LOOKED_AT && found.count < DMARC_ADDRESSES_MAX && span_cut(&rua, ',', &uri); looked++) {
        struct dmarc_address address;
        if (!dmarc_uri_parse(uri, arena, &address))
            continue;
        int result = verify(lookup, policy_domain, arena, &address);
        if (result < 0)
            return result;
        found.is_open = found.is_open || result == VERSIONED_LATER;
        if (result == VERSIONED_FOUND && !is_there(&found, &address))
            found.list[found.count++] = address;
    }
    *ret_addresses = found;
    return 0;
}
