#include <assert.h>

#include "trust/dkim/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hash[DKIM_HASH_SIZE];
    for (unsigned algorithm = DKIM_RSA_SHA256; algorithm <= DKIM_ED25519_SHA256; algorithm++) {
        AUTO_DKIM_KEY struct dkim_key key = {.key = NULL};
        const struct dkim_problem problem = dkim_key_parse(span_of(data, size), (enum dkim_algorithm)algorithm, &key);
        assert((key.key != NULL) == (problem.result == DKIM_NONE));
        if (key.key != NULL)
            (void)dkim_key_verifies(&key, hash, span_of(data, size));
    }
    return 0;
}
