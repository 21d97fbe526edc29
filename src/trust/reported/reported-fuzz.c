#include "trust/reported/reported.h"

#include <assert.h>

/* A mail to the address for reports: whatever is in it, an answer comes, and the memory for it is enough. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    struct reported reported = {.kind = REPORTED_DMARC};
    const char *problem = NULL;
    assert(arena_new(REPORTED_ARENA_MAX, &arena) == 0);
    int result = reported_find(span_of(data, size), arena, &reported, &problem);
    assert(result == REPORTED_FOUND || result == REPORTED_NONE);
    assert((result == REPORTED_FOUND) == (problem[0] == '\0'));
    assert(result == REPORTED_NONE || reported.kind == REPORTED_DMARC || reported.kind == REPORTED_TLS);
    return 0;
}
