#include "trust/dnsbl/dnsbl.h"

#include <errno.h>

#include "base/buf.h"
#include "proto/dns/rdata.h"

#define NAME_MAX_LEN 512U
#define WORDS_MAX 200U

/* "2.0.0.127.zone." (RFC 5782 §2.1, §2.4): what the name for PTR starts with. */
static int list_name(const char *zone, const struct ip *ip, struct buf *name)
{
    ip_print_reverse(ip, name);
    span_t suffix = ip->is_six ? SPAN("ip6.arpa") : SPAN("in-addr.arpa");
    span_t reversed = buf_span(name);
    buf_truncate(name, span_find(reversed, suffix));
    (void)buf_append_text(name, zone);
    (void)buf_append_byte(name, 0);
    return buf_fault(name) == -ENOBUFS ? -EINVAL : buf_fault(name);
}

/*
 * Lists answer within 127.0.0.0/8. 127.0.0.1 would be the tester's own address, and 127.255.255.0/24 is how large lists
 * say that they do not serve the one who asks; taking that for a listing would refuse all mail.
 */
static enum dnsbl_outcome judge(const struct dns_answer *answer)
{
    for (size_t at = 0; at < answer->count; at++) {
        span_t record = answer->records[at];
        bool is_code = record.len == 4 && record.at[0] == 127;
        bool is_refusal = is_code && record.at[1] == 255 && record.at[2] == 255;
        bool is_self = is_code && record.at[1] == 0 && record.at[2] == 0 && record.at[3] == 1;
        if (is_code && !is_refusal && !is_self)
            return DNSBL_LISTED;
    }
    return DNSBL_UNKNOWN;
}

static int read_words(const struct dns_answer *answer, struct arena *arena, span_t *ret_words)
{
    span_t text;
    int result = answer->count == 0 ? -EBADMSG : dns_read_txt(answer->records[0], arena, &text);
    if (result != 0)
        return result == -EBADMSG ? 0 : result;
    size_t len = 0;
    while (len < text.len && len < WORDS_MAX && text.at[len] >= ' ' && text.at[len] <= '~')
        len++;
    *ret_words = span_upto(text, len);
    return 0;
}

int dnsbl_ask(const struct dns_lookup *lookup, const char *zone, const struct ip *ip, struct arena *arena,
              span_t *ret_words)
{
    AUTO_BUF struct buf name;
    struct dns_answer answer;
    *ret_words = SPAN("");
    buf_init(&name, NAME_MAX_LEN);
    int result = list_name(zone, ip, &name);
    if (result != 0)
        return result == -EINVAL ? (int)DNSBL_UNKNOWN : result;
    const char *text = (const char *)buf_span(&name).at;
    result = trust_ask_text(lookup, text, DNS_A, arena, &answer);
    if (result != 0)
        return result;
    if (answer.outcome != DNS_FOUND)
        return trust_is_temporary(&answer) ? DNSBL_UNKNOWN : DNSBL_NOT_LISTED;
    enum dnsbl_outcome outcome = judge(&answer);
    if (outcome != DNSBL_LISTED)
        return (int)outcome;
    result = trust_ask_text(lookup, text, DNS_TXT, arena, &answer);
    if (result == 0)
        result = read_words(&answer, arena, ret_words);
    return result != 0 ? result : (int)DNSBL_LISTED;
}
