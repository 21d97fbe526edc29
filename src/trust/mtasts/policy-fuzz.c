#include "trust/mtasts/policy.h"

#include <assert.h>

/* A policy as any web server may send it: what is read lies within it, and allows no host that no line names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t text = span_of(data, size);
    struct mtasts_policy policy;
    if (mtasts_policy_parse(text, &policy) != MTASTS_OK)
        return 0;
    assert(policy.pattern_count <= MTASTS_PATTERNS_MAX && policy.max_age <= MTASTS_AGE_MAX);
    assert(policy.mode == MTASTS_NONE || policy.pattern_count > 0);
    for (size_t at = 0; at < policy.pattern_count; at++) {
        span_t pattern = policy.patterns[at];
        assert(pattern.at >= data && pattern.at + pattern.len <= data + size);
        assert(mtasts_policy_allows(&policy, pattern) || span_starts(pattern, SPAN("*.")));
    }
    assert(!mtasts_policy_allows(&policy, SPAN("")));
    return 0;
}
