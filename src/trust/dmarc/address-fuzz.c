#include <errno.h>
#include <stdlib.h>

#include "trust/dmarc/address.h"

/* Others agree to everything, in the words of the input. */
static int agree(void *context, const char *name, enum dns_type type, struct arena *arena,
                 struct dns_answer *ret_answer)
{
    const span_t *text = context;
    span_t *record = arena_alloc(arena, sizeof(*record));
    uint8_t *rdata = arena_alloc(arena, 256);
    (void)name;
    (void)type;
    if (record == NULL || rdata == NULL)
        return -ENOMEM;
    *ret_answer = (struct dns_answer){.outcome = DNS_FOUND, .canonical = "", .reason = "", .count = 1};
    rdata[0] = (uint8_t)(text->len < 255 ? text->len : 255);
    for (size_t i = 0; i < rdata[0]; i++)
        rdata[i + 1] = text->at[i];
    *record = span_of(rdata, (size_t)rdata[0] + 1);
    ret_answer->records = record;
    return 0;
}

/* The rua, a line feed, what others say to it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    struct dmarc_addresses found;
    span_t text = span_of(data, size);
    span_t rua = SPAN_NONE;
    const struct dns_lookup lookup = {agree, &text};
    if (!span_cut(&text, '\n', &rua) || arena_new(1U << 20, &arena) != 0)
        return 0;
    if (dmarc_addresses_find(&lookup, SPAN("x.test"), rua, arena, &found) != 0)
        return 0;
    if (found.count > DMARC_ADDRESSES_MAX)
        abort();
    for (size_t i = 0; i < found.count; i++)
        if (span_find_byte(found.list[i].address, '@') == found.list[i].address.len)
            abort();
    return 0;
}
