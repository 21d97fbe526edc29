#include "trust/versioned.h"

#include <errno.h>
#include <stdio.h>

#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

/* White space around "=" is the DNS owner's right (RFC 8461 §3.1: field-delim), but not before "v". */
static bool has_version(span_t text, const char *version)
{
    span_t rest = text;
    span_t tag;
    if (!span_cut(&rest, ';', &tag))
        return false;
    size_t equals = span_find_byte(tag, '=');
    return span_equal(span_trim(span_upto(tag, equals)), SPAN("v")) && tag.at[0] == 'v' &&
           span_equal(span_trim(span_from(tag, equals + 1)), span_of_text(version));
}

static int find_in(const struct dns_answer *answer, const char *version, struct arena *arena, span_t *ret_text)
{
    size_t found = 0;
    for (size_t at = 0; at < answer->count; at++) {
        span_t text;
        int result = dns_read_txt(answer->records[at], arena, &text);
        if (result == -EBADMSG)
            continue;
        if (result != 0)
            return result;
        if (!has_version(text, version))
            continue;
        found++;
        *ret_text = text;
    }
    return found == 1 ? VERSIONED_FOUND : VERSIONED_NONE;
}

int versioned_find(const struct dns_lookup *lookup, const char *prefix, const char *domain, const char *version,
                   struct arena *arena, span_t *ret_text)
{
    char name[DNS_NAME_TEXT_MAX + 2];
    struct dns_answer answer;
    int len = snprintf(name, sizeof(name), "%s.%s", prefix, domain);
    if (len < 0 || (size_t)len >= sizeof(name))
        return -EINVAL;
    int result = lookup->ask(lookup->context, name, DNS_TXT, arena, &answer);
    if (result != 0)
        return result;
    switch (answer.outcome) {
    case DNS_FOUND:
        return find_in(&answer, version, arena, ret_text);
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        return VERSIONED_NONE;
    case DNS_FAILED:
    case DNS_BOGUS:
        break;
    }
    return VERSIONED_LATER;
}
