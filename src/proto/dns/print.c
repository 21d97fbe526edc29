#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/dns/rdata.h"

/* Names and texts of one record, read only to be printed. */
#define SCRATCH_MAX (128U << 10)

typedef int print_function(struct buf *out, span_t rdata, struct arena *arena);

static void print_string(struct buf *out, span_t string)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < string.len; i++) {
        const uint8_t byte = string.at[i];
        if (byte == '"' || byte == '\\')
            buf_append_format(out, "\\%c", byte);
        else if (byte == ' ' || ascii_is_print(byte))
            buf_append_byte(out, byte);
        else
            buf_append_format(out, "\\%03u", byte);
    }
    buf_append_byte(out, '"');
}

static void print_hex(struct buf *out, span_t bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_append_format(out, "%02x", bytes.at[i]);
}

static int print_a(struct buf *out, span_t rdata, struct arena *arena)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    (void)arena;
    if (dns_read_a(rdata, &address) < 0 || inet_ntop(AF_INET, &address, text, sizeof(text)) == NULL)
        return -EBADMSG;
    return buf_append_text(out, text);
}

static int print_aaaa(struct buf *out, span_t rdata, struct arena *arena)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    (void)arena;
    if (dns_read_aaaa(rdata, &address) < 0 || inet_ntop(AF_INET6, &address, text, sizeof(text)) == NULL)
        return -EBADMSG;
    return buf_append_text(out, text);
}

static int print_name(struct buf *out, span_t rdata, struct arena *arena)
{
    const char *name = NULL;
    const int result = dns_read_name(rdata, arena, &name);
    return result < 0 ? result : buf_append_format(out, "%s.", name);
}

static int print_mx(struct buf *out, span_t rdata, struct arena *arena)
{
    struct dns_mx mx;
    const int result = dns_read_mx(rdata, arena, &mx);
    return result < 0 ? result : buf_append_format(out, "%u %s.", mx.preference, mx.exchange);
}

static int print_txt(struct buf *out, span_t rdata, struct arena *arena)
{
    span_t joined;
    const int result = dns_read_txt(rdata, arena, &joined);
    if (result < 0)
        return result;
    for (span_t rest = rdata; rest.len > 0;) {
        const size_t len = rest.at[0];
        if (rest.at != rdata.at)
            buf_append_byte(out, ' ');
        print_string(out, span_slice(rest, 1, len));
        rest = span_from(rest, 1 + len);
    }
    return buf_fault(out);
}

static int print_srv(struct buf *out, span_t rdata, struct arena *arena)
{
    struct dns_srv srv;
    const int result = dns_read_srv(rdata, arena, &srv);
    if (result < 0)
        return result;
    return buf_append_format(out, "%u %u %u %s.", srv.priority, srv.weight, srv.port, srv.target);
}

static int print_tlsa(struct buf *out, span_t rdata, struct arena *arena)
{
    struct dns_tlsa tlsa;
    (void)arena;
    if (dns_read_tlsa(rdata, &tlsa) < 0)
        return -EBADMSG;
    buf_append_format(out, "%u %u %u ", tlsa.usage, tlsa.selector, tlsa.matching);
    print_hex(out, tlsa.data);
    return buf_fault(out);
}

static int print_caa(struct buf *out, span_t rdata, struct arena *arena)
{
    struct dns_caa caa;
    (void)arena;
    if (dns_read_caa(rdata, &caa) < 0)
        return -EBADMSG;
    buf_append_format(out, "%u %.*s ", caa.flags, SPAN_PRINT(caa.tag));
    print_string(out, caa.value);
    return buf_fault(out);
}

static int print_soa(struct buf *out, span_t rdata, struct arena *arena)
{
    struct dns_soa soa;
    const int result = dns_read_soa(rdata, arena, &soa);
    if (result < 0)
        return result;
    return buf_append_format(out, "%s. %s. %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32, soa.primary,
                             soa.mailbox, soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum);
}

static const struct row {
    enum dns_type type;
    const char *text;
    print_function *print;
} rows[] = {
    {DNS_A, "A", print_a},          {DNS_NS, "NS", print_name},     {DNS_CNAME, "CNAME", print_name},
    {DNS_SOA, "SOA", print_soa},    {DNS_PTR, "PTR", print_name},   {DNS_MX, "MX", print_mx},
    {DNS_TXT, "TXT", print_txt},    {DNS_AAAA, "AAAA", print_aaaa}, {DNS_SRV, "SRV", print_srv},
    {DNS_TLSA, "TLSA", print_tlsa}, {DNS_CAA, "CAA", print_caa},
};

static const struct row *row_of(enum dns_type type)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

const char *dns_type_text(enum dns_type type, char room[DNS_TYPE_TEXT_SIZE])
{
    const struct row *row = row_of(type);
    if (row != NULL)
        return row->text;
    (void)snprintf(room, DNS_TYPE_TEXT_SIZE, "TYPE%u", (unsigned)type & UINT16_MAX);
    return room;
}

int dns_print_rdata(struct buf *out, enum dns_type type, span_t rdata)
{
    AUTO(arena) struct arena *arena = NULL;
    const size_t start = buf_len(out);
    const struct row *row = row_of(type);
    int result = arena_new(SCRATCH_MAX, &arena);
    if (result < 0)
        return result;
    result = row == NULL ? -EBADMSG : row->print(out, rdata, arena);
    if (result != -EBADMSG)
        return result;
    buf_truncate(out, start);
    buf_append_format(out, "\\# %zu%s", rdata.len, rdata.len > 0 ? " " : "");
    print_hex(out, rdata);
    return buf_fault(out);
}
