#include <assert.h>

#include "trust/dmarc/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const span_t input = span_of(data, size);
    for (enum dmarc_edition edition = DMARC_RFC7489; edition <= DMARC_RFC9989; edition++) {
        struct dmarc_record record;
        if (!dmarc_record_parse(input, edition, &record))
            continue;
        assert(dmarc_is_record(input) && record.percent <= 100 && record.psd <= DMARC_PSD_NO);
        assert(record.policy <= DMARC_REJECT && record.subdomains <= DMARC_REJECT);
        assert(record.nonexistent <= DMARC_REJECT);
        assert(record.rua.len <= size && record.ruf.len <= size && record.fo.len <= size + 1);
    }
    return 0;
}
