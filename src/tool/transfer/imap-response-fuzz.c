#include <stdlib.h>

#include "tool/transfer/imap-response.h"

#define MAX 65536U

static void inside(span_t outer, span_t inner)
{
    if (inner.len > 0 && (inner.at < outer.at || inner.at + inner.len > outer.at + outer.len))
        abort();
}

/* Whatever comes, a whole response is no longer than the input, and all parts of it lie in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t input = span_of(data, size);
    size_t len = 0;
    while (imap_response_measure(input, MAX, &len) == IMAP_RESPONSE_WHOLE) {
        struct imap_response response;
        struct imap_fetched fetched;
        struct imap_listed listed;
        AUTO_BUF struct buf prefix;
        int64_t seconds = 0;
        uint64_t count = 0;
        if (len == 0 || len > input.len)
            abort();
        span_t one = span_upto(input, len);
        input = span_from(input, len);
        buf_init(&prefix, MAX);
        if (imap_response_read(one, &response) < 0)
            continue;
        inside(one, response.rest);
        inside(one, response.code);
        if (imap_response_fetch(response.rest, &fetched) == 0) {
            inside(one, fetched.body);
            inside(one, fetched.flags);
            (void)(imap_response_date(fetched.date, &seconds) == 0);
        }
        if (imap_response_list(response.rest, &listed) == 0)
            inside(one, listed.attributes);
        buf_deinit(&listed.name);
        (void)(imap_response_namespace(response.rest, &prefix) == 0);
        (void)(imap_response_status(response.rest, &count) == 0);
        (void)imap_response_has(response.rest, SPAN("IMAP4rev1"));
    }
    return 0;
}
