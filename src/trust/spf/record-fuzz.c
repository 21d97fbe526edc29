#include <assert.h>

#include "trust/spf/macro.h"
#include "trust/spf/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is valid can be expanded, whatever the message says. */
static void expand(span_t text, span_t input)
{
    const struct ip ip = {.is_six = (input.len & 1U) != 0};
    const struct spf_macros macros = {
        .local = input, .origin = input, .domain = input, .ip = &ip, .helo = input, .now = input.len};
    AUTO_BUF struct buf out;
    buf_init(&out, 4096);
    (void)spf_macro_expand(text, &macros, &out);
    assert(buf_len(&out) <= 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    struct spf_record record;
    const span_t input = span_of(data, size);
    if (spf_macro_is_valid(input, SPF_IN_TEXT))
        expand(input, input);
    if (!spf_is_record(input) || arena_new(size * 200 + 4096, &arena) != 0 ||
        spf_record_parse(input, arena, &record) != SPF_PARSE_OK)
        return 0;
    for (size_t i = 0; i < record.count; i++) {
        assert(record.terms[i].bits_four <= 32 && record.terms[i].bits_six <= 128);
        expand(record.terms[i].domain, input);
    }
    return 0;
}
