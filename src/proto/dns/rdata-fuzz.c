#include <assert.h>
#include <errno.h>

#include "proto/dns/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printed(enum dns_type type, span_t rdata)
{
    AUTO_BUF struct buf out;
    buf_init(&out, rdata.len * 6 + 2000);
    const int result = dns_print_rdata(&out, type, rdata);
    assert(result == 0);
    for (size_t i = 0; i < buf_len(&out); i++)
        assert(buf_span(&out).at[i] == ' ' || ascii_is_print(buf_span(&out).at[i]));
}

/* What is read is written back as it was. */
static void check_rewritten(enum dns_type type, span_t rdata, struct arena *arena)
{
    AUTO_BUF struct buf out;
    struct dns_mx mx;
    struct dns_srv srv;
    struct dns_tlsa tlsa;
    struct dns_caa caa;
    const char *name = NULL;
    int result = -EBADMSG;
    buf_init(&out, rdata.len + 300);
    if (type == DNS_MX && dns_read_mx(rdata, arena, &mx) == 0)
        result = dns_put_mx(&out, &mx);
    else if (type == DNS_SRV && dns_read_srv(rdata, arena, &srv) == 0)
        result = dns_put_srv(&out, &srv);
    else if (type == DNS_TLSA && dns_read_tlsa(rdata, &tlsa) == 0)
        result = dns_put_tlsa(&out, &tlsa);
    else if (type == DNS_CAA && dns_read_caa(rdata, &caa) == 0)
        result = dns_put_caa(&out, &caa);
    else if (type == DNS_PTR && dns_read_name(rdata, arena, &name) == 0)
        result = dns_put_name(&out, name);
    else
        return;
    assert(result == 0 && span_equal(buf_span(&out), rdata));
}

/* The first two bytes choose the type; the rest is RDATA, and also a message with a name in its middle. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf expanded;
    const char *name = NULL;
    buf_init(&expanded, DNS_NAME_WIRE_MAX);
    if (size < 2 || size > 70000 || arena_new(1U << 20, &arena) < 0)
        return 0;
    const enum dns_type type = (enum dns_type)((unsigned)data[0] << 8 | data[1]);
    const span_t rdata = span_of(data + 2, size - 2);
    check_printed(type, rdata);
    check_rewritten(type, rdata, arena);
    span_t rest = span_from(rdata, rdata.len / 2);
    span_t again = rest;
    const int read = dns_name_read(rdata, &rest, arena, &name);
    const int result = dns_name_expand(rdata, &again, &expanded);
    assert((read == 0) == (result == 0));
    assert(rest.len == again.len);
    return 0;
}
