#include "crypto/record.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/aead.h"
#include "crypto/record-layout.h"

/*
 * Two ways in. Even first byte: the input is a sealed body as a disk may show it; it must not open. Odd: the input is
 * authentic plain bytes from a faulty sealer; whatever opens must lie within them.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_sealed(span_t sealed)
{
    static const uint8_t key_bytes[RECORD_KEY_LEN] = {1, 2, 3};
    AUTO(secret) struct secret *key = NULL;
    AUTO_BUF struct buf plain = {0};
    struct record_meta meta;
    span_t message;
    buf_init(&plain, 1U << 22U);
    if (secret_copy(span_of(key_bytes, sizeof(key_bytes)), &key) == 0)
        assert(record_open(key, sealed, &plain, &meta, &message) != RECORD_OK);
}

static void parse_plain(span_t plain)
{
    struct record_meta meta;
    uint64_t start = 0;
    uint64_t len = 0;
    uint64_t padded = record_padded_len(plain.len);
    if (record_head_parse(plain, padded, &meta, &start, &len) != RECORD_OK)
        return;
    assert(start <= plain.len && start + len <= padded);
    assert(meta.flags.at + meta.flags.len <= plain.at + plain.len);
    assert(meta.return_path.at + meta.return_path.len <= plain.at + plain.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    span_t rest = span_of(data + 1, size - 1);
    if (data[0] % 2 == 0)
        open_sealed(rest);
    else
        parse_plain(rest);
    return 0;
}
