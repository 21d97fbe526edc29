#include <assert.h>

#include "proto/dns/message.h"
#include "proto/dns/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first two bytes are the type asked for; the rest is the message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    struct dns_answer answer;
    if (size < 2 || size > 70000 || arena_new(1U << 20, &arena) < 0)
        return 0;
    const enum dns_type type = (enum dns_type)((unsigned)data[0] << 8 | data[1]);
    if (dns_message_read(span_of(data + 2, size - 2), type, arena, &answer) < 0)
        return 0;
    assert((answer.count > 0) == (answer.outcome == DNS_FOUND) && answer.count <= DNS_RECORDS_MAX);
    for (size_t i = 0; i < answer.count; i++) {
        AUTO_BUF struct buf text;
        buf_init(&text, answer.records[i].len * 6 + 2000);
        const int result = dns_print_rdata(&text, type, answer.records[i]);
        assert(result == 0);
    }
    return 0;
}
