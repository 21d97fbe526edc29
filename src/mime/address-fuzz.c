#include <assert.h>

#include "mime/address.h"
#include "mime/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    struct mime_address *address = NULL;
    struct mime_date date;
    if (arena_new(size * 200 + 4096, &arena) < 0)
        return 0;
    int result = mime_date_parse(span_of(data, size), &date);
    assert(result == 0 || result == MIME_DATE_NONE);
    result = mime_address_parse(span_of(data, size), arena, &address);
    assert(result == 0);
    size_t count = 0;
    bool in_group = false;
    for (; address != NULL; address = address->next) {
        count++;
        if (address->kind == MIME_ADDRESS_MAILBOX)
            continue;
        assert(in_group == (address->kind == MIME_ADDRESS_GROUP_END)); /* groups are balanced and never nest */
        in_group = !in_group;
    }
    assert(!in_group && count <= MIME_ADDRESS_COUNT_MAX + 1);
    return 0;
}
