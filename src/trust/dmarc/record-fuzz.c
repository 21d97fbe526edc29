#include <assert.h>

#include "trust/dmarc/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dmarc_record record;
    const span_t input = span_of(data, size);
    if (!dmarc_record_parse(input, &record))
        return 0;
    assert(dmarc_is_record(input) && record.percent <= 100);
    assert(record.policy <= DMARC_REJECT && record.subdomains <= DMARC_REJECT);
    assert(record.rua.len <= size && record.ruf.len <= size && record.fo.len <= size + 1);
    return 0;
}
