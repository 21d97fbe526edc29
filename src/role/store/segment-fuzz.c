#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "role/store/segment.h"

/*
 * The bytes of a segment from outside: a head block where there is one, then a walk over record heads, each at its
 * first byte, as recovery does. Bodies are skipped by their length.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void head_try(span_t bytes, struct aead *aead)
{
    struct record_head head;
    if (record_head_read(bytes, &head) != 0)
        return;
    AUTO_FREE uint8_t *rows = mem_new_array(head.recipients, RECORD_ROW);
    if (rows == NULL || record_head_open(&head, bytes, aead, rows) != 0)
        return;
    struct record_row row;
    for (uint32_t at = 0; at < head.recipients; at++)
        record_row_read(rows, at, &row);
    /* what opens was sealed under the key of zeros: it must come out of the writer as it went in */
    AUTO_FREE uint8_t *again = mem_new(record_head_len(head.recipients));
    if (again == NULL)
        return;
    struct record_head copy = head;
    if (record_head_write(&copy, rows, aead, again) != 0 ||
        memcmp(again, bytes.at, (size_t)record_marks_at(head.recipients)) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct aead *aead;
    static const uint8_t key[AEAD_KEY_SIZE];
    if (aead == NULL && aead_new(key, &aead) != 0)
        return 0;
    span_t bytes = span_of(data, size);
    struct segment_head segment;
    if (segment_head_read(bytes, 1, &segment) == 0)
        bytes = span_from(bytes, SEGMENT_BLOCK);
    while (bytes.len >= RECORD_FIXED) {
        head_try(bytes, aead);
        struct record_head head;
        uint64_t step = record_head_read(bytes, &head) == 0 ? record_len(&head) : SEGMENT_ALIGN;
        bytes = span_from(bytes, step < bytes.len ? (size_t)step : bytes.len);
    }
    return 0;
}
