#include "trust/ip.h"

#include <arpa/inet.h>
#include <string.h>

#define TEXT_MAX 46

static bool parse(span_t text, int family, uint8_t *bytes)
{
    char room[TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof(room) || span_find_byte(text, 0) < text.len)
        return false;
    memcpy(room, text.at, text.len);
    room[text.len] = 0;
    return inet_pton(family, room, bytes) == 1;
}

bool ip_parse_four(span_t text, uint8_t ret_bytes[4])
{
    return parse(text, AF_INET, ret_bytes);
}

bool ip_parse_six(span_t text, uint8_t ret_bytes[16])
{
    return parse(text, AF_INET6, ret_bytes);
}

static void unmap(struct ip *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (!ip->is_six || memcmp(ip->bytes, mapped, sizeof(mapped)) != 0)
        return;
    ip->is_six = false;
    memmove(ip->bytes, ip->bytes + sizeof(mapped), 4);
}

bool ip_parse(span_t text, struct ip *ret_ip)
{
    struct ip ip = {.is_six = span_find_byte(text, ':') < text.len};
    if (!parse(text, ip.is_six ? AF_INET6 : AF_INET, ip.bytes))
        return false;
    unmap(&ip);
    *ret_ip = ip;
    return true;
}

bool ip_parse_network(span_t text, struct ip *ret_ip, unsigned *ret_bits)
{
    size_t slash = span_find_byte(text, '/');
    uint64_t bits = 0;
    if (!ip_parse(span_upto(text, slash), ret_ip))
        return false;
    bits = ret_ip->is_six ? 128 : 32;
    if (slash < text.len && span_to_u64(span_from(text, slash + 1), bits, &bits) != 0)
        return false;
    *ret_bits = (unsigned)bits;
    return true;
}

bool ip_of_record(span_t rdata, struct ip *ret_ip)
{
    if (rdata.len != 4 && rdata.len != 16)
        return false;
    *ret_ip = (struct ip){.is_six = rdata.len == 16};
    memcpy(ret_ip->bytes, rdata.at, rdata.len);
    return true;
}

bool ip_matches(const struct ip *one, const struct ip *other, unsigned bits)
{
    if (one->is_six != other->is_six)
        return false;
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(one->bytes, other->bytes, whole) != 0)
        return false;
    return rest == 0 || (one->bytes[whole] ^ other->bytes[whole]) >> (8 - rest) == 0;
}

bool ip_is_within(const struct ip *ip, span_t networks)
{
    for (span_t word; span_cut(&networks, ',', &word);) {
        unsigned bits = 0;
        struct ip network;
        if (ip_parse_network(span_trim(word), &network, &bits) && ip_matches(ip, &network, bits))
            return true;
    }
    return false;
}

void ip_print(const struct ip *ip, struct buf *text)
{
    char room[TEXT_MAX];
    if (inet_ntop(ip->is_six ? AF_INET6 : AF_INET, ip->bytes, room, sizeof(room)) != NULL)
        (void)buf_append_text(text, room);
}

void ip_print_reverse(const struct ip *ip, struct buf *text)
{
    if (!ip->is_six) {
        (void)buf_append_format(text, "%u.%u.%u.%u.in-addr.arpa", ip->bytes[3], ip->bytes[2], ip->bytes[1],
                                ip->bytes[0]);
        return;
    }
    for (unsigned i = 16; i-- > 0;)
        (void)buf_append_format(text, "%x.%x.", ip->bytes[i] & 15U, ip->bytes[i] >> 4);
    (void)buf_append_text(text, "ip6.arpa");
}
