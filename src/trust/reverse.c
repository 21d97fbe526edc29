#include "trust/reverse.h"

#include <errno.h>

#include "proto/dns/rdata.h"

static int check_name(const struct dns_lookup *lookup, const struct ip *ip, const char *name, struct arena *arena,
                      struct reverse *reverse)
{
    struct dns_answer answer;
    int result = trust_ask_text(lookup, name, ip->is_six ? DNS_AAAA : DNS_A, arena, &answer);
    if (result != 0)
        return result;
    reverse->tried++;
    if (trust_is_temporary(&answer))
        reverse->failed++;
    for (size_t i = 0; i < answer.count; i++) {
        struct ip found;
        if (!ip_of_record(answer.records[i], &found) || !ip_matches(&found, ip, ip->is_six ? 128 : 32))
            continue;
        reverse->names[reverse->count++] = span_of_text(name);
        break;
    }
    return 0;
}

int reverse_find(const struct dns_lookup *lookup, const struct ip *ip, struct arena *arena, struct reverse *ret_reverse)
{
    AUTO_BUF struct buf name;
    buf_init(&name, 128);
    ip_print_reverse(ip, &name);
    if (buf_fault(&name) != 0)
        return buf_fault(&name);
    struct dns_answer answer;
    int result = trust_ask(lookup, buf_span(&name), DNS_PTR, arena, &answer);
    if (result != 0)
        return result;
    struct reverse reverse = {.outcome = answer.outcome};
    for (size_t i = 0; i < answer.count && i < REVERSE_NAMES_MAX; i++) {
        const char *target = NULL;
        result = dns_read_name(answer.records[i], arena, &target);
        if (result == 0)
            result = check_name(lookup, ip, target, arena, &reverse);
        if (result != 0 && result != -EBADMSG)
            return result;
    }
    *ret_reverse = reverse;
    return 0;
}
