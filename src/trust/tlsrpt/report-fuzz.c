#include "trust/tlsrpt/report.h"

#include <assert.h>

/* A report as anyone may send it: what was read can be written, and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_report(span_t json, struct tlsrpt_report *report, struct arena **ret_arena)
{
    assert(arena_new(16U << 20, ret_arena) == 0);
    return tlsrpt_report_read(json, *ret_arena, report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO(arena) struct arena *again = NULL;
    struct tlsrpt_report report;
    if (read_report(span_of(data, size), &report, &arena) != TLSRPT_OK)
        return 0;
    assert(report.policy_count <= TLSRPT_POLICIES_MAX);
    AUTO_BUF struct buf json = {0};
    buf_init(&json, 16U << 20);
    assert(tlsrpt_report_write(&report, &json) == 0);
    if (buf_len(&json) > TLSRPT_REPORT_MAX)
        return 0;
    struct tlsrpt_report copy;
    assert(read_report(buf_span(&json), &copy, &again) == TLSRPT_OK);
    assert(copy.policy_count == report.policy_count && copy.start == report.start && copy.end == report.end);
    return 0;
}
