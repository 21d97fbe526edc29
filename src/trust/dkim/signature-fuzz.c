#include <assert.h>

#include "trust/dkim/header.h"
#include "trust/dkim/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A header in which every field is tried as a signature of every kind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    struct dkim_header header;
    if (size > 20000 || arena_new(4U << 20, &arena) != 0 || dkim_header_index(span_of(data, size), arena, &header) != 0)
        return 0;
    for (size_t i = 0; i < header.count && i < 8; i++) {
        for (unsigned kind = DKIM_OF_MESSAGE; kind <= DKIM_OF_ARC_SEAL; kind++) {
            int result = 0;
            uint8_t hash[DKIM_HASH_SIZE];
            struct dkim_signature signature;
            const span_t field = header.fields[i].whole;
            if (dkim_signature_parse((enum dkim_kind)kind, field, arena, &signature, &result) != NULL || result != 0)
                continue;
            assert(signature.domain.len > 0 && signature.selector.len > 0 && signature.signature.len > 0);
            assert(signature.empty_b.at > field.at &&
                   signature.empty_b.at + signature.empty_b.len <= field.at + field.len);
            assert(signature.empty_b.at[-1] == '=');
            assert(dkim_header_hash(&header, &signature, hash) == 0);
        }
    }
    return 0;
}
