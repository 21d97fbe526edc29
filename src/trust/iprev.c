#include "trust/iprev.h"

const char *iprev_result_text(enum iprev_result result)
{
    static const char *const texts[] = {"pass", "fail", "temperror", "permerror"};
    return texts[result];
}

static enum iprev_result judge(const struct reverse *reverse)
{
    if (reverse->count > 0)
        return IPREV_PASS;
    if (reverse->outcome == DNS_FAILED || reverse->outcome == DNS_BOGUS || reverse->failed > 0)
        return IPREV_TEMPERROR;
    return reverse->outcome == DNS_FOUND ? IPREV_FAIL : IPREV_PERMERROR;
}

int iprev_check(const struct dns_lookup *lookup, const struct ip *client, struct arena *arena,
                struct iprev_verdict *ret_verdict)
{
    struct reverse reverse;
    int result = reverse_find(lookup, client, arena, &reverse);
    if (result != 0)
        return result;
    *ret_verdict = (struct iprev_verdict){.result = judge(&reverse)};
    if (ret_verdict->result == IPREV_PASS)
        ret_verdict->name = reverse.names[0];
    return 0;
}
