#include "proto/dns/rdata.h"

#include <errno.h>
#include <string.h>

static int take_u8(span_t *rest, uint8_t *ret_value)
{
    if (rest->len < 1)
        return -EBADMSG;
    *ret_value = rest->at[0];
    *rest = span_from(*rest, 1);
    return 0;
}

static int take_u16(span_t *rest, uint16_t *ret_value)
{
    if (rest->len < 2)
        return -EBADMSG;
    *ret_value = (uint16_t)((unsigned)rest->at[0] << 8 | rest->at[1]);
    *rest = span_from(*rest, 2);
    return 0;
}

static int take_u32(span_t *rest, uint32_t *ret_value)
{
    uint16_t high = 0;
    uint16_t low = 0;
    if (take_u16(rest, &high) < 0 || take_u16(rest, &low) < 0)
        return -EBADMSG;
    *ret_value = (uint32_t)high << 16 | low;
    return 0;
}

static int take_string(span_t *rest, span_t *ret_string)
{
    uint8_t len = 0;
    if (take_u8(rest, &len) < 0 || rest->len < len)
        return -EBADMSG;
    *ret_string = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return 0;
}

/* A name that ends the record. */
static int take_last_name(span_t rest, struct arena *arena, const char **ret_name)
{
    const char *name = NULL;
    const int result = dns_name_read(SPAN_NONE, &rest, arena, &name);
    if (result < 0)
        return result;
    if (rest.len > 0)
        return -EBADMSG;
    *ret_name = name;
    return 0;
}

int dns_read_a(span_t rdata, struct in_addr *ret_address)
{
    if (rdata.len != sizeof(*ret_address))
        return -EBADMSG;
    memcpy(ret_address, rdata.at, rdata.len);
    return 0;
}

int dns_read_aaaa(span_t rdata, struct in6_addr *ret_address)
{
    if (rdata.len != sizeof(*ret_address))
        return -EBADMSG;
    memcpy(ret_address, rdata.at, rdata.len);
    return 0;
}

int dns_read_name(span_t rdata, struct arena *arena, const char **ret_name)
{
    return take_last_name(rdata, arena, ret_name);
}

int dns_read_txt(span_t rdata, struct arena *arena, span_t *ret_text)
{
    size_t len = 0;
    span_t rest = rdata;
    if (rdata.len == 0)
        return -EBADMSG;
    for (span_t string; rest.len > 0; len += string.len)
        if (take_string(&rest, &string) < 0)
            return -EBADMSG;
    uint8_t *text = arena_alloc(arena, len + 1);
    if (text == NULL)
        return -ENOMEM;
    size_t at = 0;
    rest = rdata;
    for (span_t string; take_string(&rest, &string) == 0; at += string.len)
        if (string.len > 0)
            memcpy(text + at, string.at, string.len);
    *ret_text = span_of(text, len);
    return 0;
}

int dns_read_mx(span_t rdata, struct arena *arena, struct dns_mx *ret_mx)
{
    struct dns_mx mx = {0};
    const int result = take_u16(&rdata, &mx.preference) < 0 ? -EBADMSG : take_last_name(rdata, arena, &mx.exchange);
    if (result == 0)
        *ret_mx = mx;
    return result;
}

int dns_read_srv(span_t rdata, struct arena *arena, struct dns_srv *ret_srv)
{
    struct dns_srv srv = {0};
    if (take_u16(&rdata, &srv.priority) < 0 || take_u16(&rdata, &srv.weight) < 0 || take_u16(&rdata, &srv.port) < 0)
        return -EBADMSG;
    const int result = take_last_name(rdata, arena, &srv.target);
    if (result == 0)
        *ret_srv = srv;
    return result;
}

int dns_read_tlsa(span_t rdata, struct dns_tlsa *ret_tlsa)
{
    struct dns_tlsa tlsa = {0};
    if (take_u8(&rdata, &tlsa.usage) < 0 || take_u8(&rdata, &tlsa.selector) < 0 || take_u8(&rdata, &tlsa.matching) < 0)
        return -EBADMSG;
    if (rdata.len == 0)
        return -EBADMSG;
    tlsa.data = rdata;
    *ret_tlsa = tlsa;
    return 0;
}

static bool is_tag(span_t tag)
{
    for (size_t i = 0; i < tag.len; i++)
        if (!ascii_is_alpha(tag.at[i]) && !ascii_is_digit(tag.at[i]))
            return false;
    return tag.len > 0;
}

int dns_read_caa(span_t rdata, struct dns_caa *ret_caa)
{
    struct dns_caa caa = {0};
    if (take_u8(&rdata, &caa.flags) < 0 || take_string(&rdata, &caa.tag) < 0 || !is_tag(caa.tag))
        return -EBADMSG;
    caa.value = rdata;
    *ret_caa = caa;
    return 0;
}

int dns_read_soa(span_t rdata, struct arena *arena, struct dns_soa *ret_soa)
{
    struct dns_soa soa = {0};
    int result = dns_name_read(SPAN_NONE, &rdata, arena, &soa.primary);
    if (result == 0)
        result = dns_name_read(SPAN_NONE, &rdata, arena, &soa.mailbox);
    if (result < 0)
        return result;
    uint32_t *const numbers[] = {&soa.serial, &soa.refresh, &soa.retry, &soa.expire, &soa.minimum};
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (take_u32(&rdata, numbers[i]) < 0)
            return -EBADMSG;
    if (rdata.len > 0)
        return -EBADMSG;
    *ret_soa = soa;
    return 0;
}

static void put_u16(struct buf *out, uint16_t value)
{
    buf_append_byte(out, (uint8_t)(value >> 8));
    buf_append_byte(out, (uint8_t)(value & 0xffU));
}

int dns_put_name(struct buf *out, const char *name)
{
    return dns_name_write(out, span_of_text(name));
}

int dns_put_txt(struct buf *out, span_t text)
{
    do {
        const span_t string = span_upto(text, UINT8_MAX);
        buf_append_byte(out, (uint8_t)string.len);
        buf_append(out, string);
        text = span_from(text, string.len);
    } while (text.len > 0);
    return buf_fault(out);
}

int dns_put_mx(struct buf *out, const struct dns_mx *mx)
{
    put_u16(out, mx->preference);
    return dns_put_name(out, mx->exchange);
}

int dns_put_srv(struct buf *out, const struct dns_srv *srv)
{
    put_u16(out, srv->priority);
    put_u16(out, srv->weight);
    put_u16(out, srv->port);
    return dns_put_name(out, srv->target);
}

int dns_put_tlsa(struct buf *out, const struct dns_tlsa *tlsa)
{
    if (tlsa->data.len == 0)
        return -EINVAL;
    buf_append_byte(out, tlsa->usage);
    buf_append_byte(out, tlsa->selector);
    buf_append_byte(out, tlsa->matching);
    return buf_append(out, tlsa->data);
}

int dns_put_caa(struct buf *out, const struct dns_caa *caa)
{
    if (!is_tag(caa->tag) || caa->tag.len > UINT8_MAX)
        return -EINVAL;
    buf_append_byte(out, caa->flags);
    buf_append_byte(out, (uint8_t)caa->tag.len);
    buf_append(out, caa->tag);
    return buf_append(out, caa->value);
}
