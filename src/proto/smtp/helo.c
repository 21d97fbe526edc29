#include "proto/smtp/helo.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/result.h"

#define LABEL_MAX 63U
#define DOMAIN_MAX 255U

struct ip_bytes {
    uint8_t at[16];
    bool is_four;
};

/* IPv4-mapped addresses are the IPv4 addresses they are. */
static bool read_address(span_t text, struct ip_bytes *ret_address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char room[INET6_ADDRSTRLEN];
    *ret_address = (struct ip_bytes){.is_four = true};
    if (text.len == 0 || text.len >= sizeof(room) || span_find_byte(text, 0) < text.len)
        return false;
    memcpy(room, text.at, text.len);
    room[text.len] = '\0';
    if (inet_pton(AF_INET, room, ret_address->at) == 1)
        return true;
    if (inet_pton(AF_INET6, room, ret_address->at) != 1)
        return false;
    ret_address->is_four = memcmp(ret_address->at, mapped, sizeof(mapped)) == 0;
    if (ret_address->is_four)
        memmove(ret_address->at, ret_address->at + sizeof(mapped), 4);
    return true;
}

static bool is_loopback(const struct ip_bytes *address)
{
    static const uint8_t six[16] = {[15] = 1};
    return address->is_four ? address->at[0] == 127 : memcmp(address->at, six, sizeof(six)) == 0;
}

static bool is_same(const struct ip_bytes *one, const struct ip_bytes *other)
{
    return one->is_four == other->is_four && memcmp(one->at, other->at, one->is_four ? 4 : 16) == 0;
}

/* RFC 5321 §4.1.2: letters, digits and hyphens; internationalized labels as U-labels, too (RFC 6531 §3.3). A dot at the
 * end is one too many, and harms nobody. */
static bool is_domain(span_t name)
{
    size_t label = 0;
    if (name.len > 1 && name.at[name.len - 1] == '.')
        name = span_upto(name, name.len - 1);
    if (name.len == 0 || name.len > DOMAIN_MAX)
        return false;
    for (size_t at = 0; at < name.len; at++) {
        const uint8_t byte = name.at[at];
        const bool is_letter = ascii_is_alpha(byte) || ascii_is_digit(byte) || byte == '_' || byte >= 0x80;
        if (byte == '.' ? label == 0 : !is_letter && byte != '-')
            return false;
        label = byte == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return label > 0;
}

static enum smtp_helo judge_address(const struct ip_bytes *claimed, const struct smtp_helo_facts *facts)
{
    struct ip_bytes ours;
    if (facts->is_from_here)
        return SMTP_HELO_FINE;
    if (read_address(facts->address, &ours) && is_same(&ours, claimed))
        return SMTP_HELO_OURS;
    return is_loopback(claimed) ? SMTP_HELO_LOCALHOST : SMTP_HELO_FINE;
}

/* RFC 5321 §4.1.3. A tag that is not known yet is taken as it is. */
static enum smtp_helo judge_literal(span_t inner, const struct smtp_helo_facts *facts)
{
    struct ip_bytes claimed;
    const bool is_six = span_starts_nocase(inner, SPAN("IPv6:"));
    if (is_six)
        inner = span_from(inner, 5);
    if (read_address(inner, &claimed))
        return judge_address(&claimed, facts);
    const size_t colon = span_find_byte(inner, ':');
    return !is_six && colon > 0 && colon + 1 < inner.len && ascii_is_alpha(inner.at[0]) ? SMTP_HELO_FINE
                                                                                        : SMTP_HELO_MALFORMED;
}

static bool is_localhost(span_t name)
{
    return span_equal_nocase(name, SPAN("localhost")) || span_equal_nocase(name, SPAN("localhost.localdomain")) ||
           (name.len > 10 && span_equal_nocase(span_from(name, name.len - 10), SPAN(".localhost")));
}

enum smtp_helo smtp_helo_judge(span_t name, const struct smtp_helo_facts *facts)
{
    struct ip_bytes address;
    if (name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
        return judge_literal(span_slice(name, 1, name.len - 2), facts);
    if (read_address(name, &address))
        return SMTP_HELO_BARE_ADDRESS;
    if (!is_domain(name))
        return SMTP_HELO_MALFORMED;
    if (facts->is_from_here)
        return SMTP_HELO_FINE;
    if (name.at[name.len - 1] == '.')
        name = span_upto(name, name.len - 1);
    if (span_equal_nocase(name, facts->hostname))
        return SMTP_HELO_OURS;
    return is_localhost(name) ? SMTP_HELO_LOCALHOST : SMTP_HELO_FINE;
}

const char *smtp_helo_words(enum smtp_helo helo)
{
    static const char *const words[SMTP_HELO_COUNT] = {
        [SMTP_HELO_MALFORMED] = "That is no name of a host: a domain, or an address in brackets, is wanted",
        [SMTP_HELO_BARE_ADDRESS] = "An address stands in brackets there, as in [192.0.2.1]",
        [SMTP_HELO_OURS] = "That is our own name, not yours",
        [SMTP_HELO_LOCALHOST] = "You are not localhost here",
    };
    return words[helo];
}
