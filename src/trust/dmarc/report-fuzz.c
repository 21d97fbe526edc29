#include "trust/dmarc/report.h"

#include <assert.h>

/* A report as anyone may send it: what was read can be written, and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO(arena) struct arena *again = NULL;
    struct dmarc_report report;
    assert(arena_new(64U << 20, &arena) == 0 && arena_new(64U << 20, &again) == 0);
    if (dmarc_report_read(span_of(data, size), arena, &report) != DMARC_REPORT_OK)
        return 0;
    assert(report.row_count <= DMARC_ROWS_MAX);
    AUTO_BUF struct buf xml = {0};
    buf_init(&xml, 64U << 20);
    assert(dmarc_report_write(&report, &xml) == 0);
    if (buf_len(&xml) > DMARC_REPORT_MAX)
        return 0;
    struct dmarc_report copy;
    assert(dmarc_report_read(buf_span(&xml), again, &copy) == DMARC_REPORT_OK);
    assert(copy.row_count == report.row_count && copy.start == report.start && copy.end == report.end);
    return 0;
}
