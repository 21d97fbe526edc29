#include <assert.h>

#include "role/keeper/srs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any sender, there and back again; any local part. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[SRS_KEY_SIZE] = {7};
    const struct srs srs = {.key = key, .now = 1700000000};
    AUTO_BUF struct buf address;
    AUTO_BUF struct buf sender;
    buf_init(&address, 2048);
    buf_init(&sender, 2048);
    const span_t input = span_of(data, size);
    int result = srs_read(&srs, input, &sender);
    assert(result >= 0 && (result == SRS_OK) == (buf_len(&sender) > 0));
    if (size > 1024 || srs_write(&srs, input, SPAN("ours.test"), &address) != SRS_OK)
        return 0;
    const span_t written = buf_span(&address);
    buf_clear(&sender);
    assert(written.len <= SRS_LOCAL_MAX + 30);
    assert(srs_read(&srs, span_upto(written, span_find_last_byte(written, '@')), &sender) == SRS_OK);
    if (span_starts(written, SPAN("SRS0")))
        assert(span_equal(buf_span(&sender), input));
    return 0;
}
