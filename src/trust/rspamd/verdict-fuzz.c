#include "trust/rspamd/verdict.h"

#include <assert.h>

/* Whatever answers in rspamd's place: nothing in the verdict can break a header or a reply. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_line(span_t text)
{
    assert(span_find_byte(text, '\r') == text.len && span_find_byte(text, '\n') == text.len &&
           span_find_byte(text, 0) == text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    struct rspamd_verdict verdict;
    assert(arena_new(4U << 20, &arena) == 0);
    if (rspamd_verdict_read(span_of(data, size), arena, &verdict) != RSPAMD_OK)
        return 0;
    assert_line(verdict.subject);
    assert_line(verdict.reply);
    for (size_t at = 0; at < verdict.add_count; at++) {
        assert_line(verdict.add[at].name);
        assert_line(verdict.add[at].value);
    }
    for (size_t at = 0; at < verdict.remove_count; at++)
        assert_line(verdict.remove[at]);
    return 0;
}
