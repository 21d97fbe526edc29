#include "trust/dane/dane.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "proto/dns/name.h"

enum usage { USAGE_TA = 2, USAGE_EE = 3 };
enum selector { SELECTOR_CERTIFICATE = 0, SELECTOR_KEY = 1 };

/* What is there whole has to be a certificate or a key, or nothing could ever match it. */
static bool is_whole(const struct dns_tlsa *record)
{
    const uint8_t *at = record->data.at;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    if (record->selector == SELECTOR_CERTIFICATE)
        certificate = d2i_X509(NULL, &at, (long)record->data.len);
    else
        key = d2i_PUBKEY(NULL, &at, (long)record->data.len);
    bool is_read = key != NULL || (certificate != NULL && X509_get0_pubkey(certificate) != NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return is_read && at == record->data.at + record->data.len;
}

bool dane_is_usable(const struct dns_tlsa *record)
{
    static const size_t lengths[] = {0, 32, 64}; /* whole, SHA-256, SHA-512 */
    if (record->usage != USAGE_TA && record->usage != USAGE_EE)
        return false;
    if (record->selector != SELECTOR_CERTIFICATE && record->selector != SELECTOR_KEY)
        return false;
    if (record->matching >= COUNT_OF(lengths) || record->data.len == 0)
        return false;
    return record->matching == 0 ? is_whole(record) : record->data.len == lengths[record->matching];
}

static int take(const struct dns_answer *answer, const char *base, struct dane_set *set)
{
    set->base = base;
    for (size_t at = 0; at < answer->count && set->count < DANE_RECORDS_MAX; at++) {
        struct dns_tlsa record;
        if (dns_read_tlsa(answer->records[at], &record) == 0 && dane_is_usable(&record))
            set->records[set->count++] = record;
    }
    return set->count > 0 ? DANE_AUTHENTICATE : DANE_ENCRYPT;
}

static int find_at(const struct dns_lookup *lookup, const char *base, uint16_t port, struct arena *arena,
                   struct dane_set *set)
{
    char name[DNS_NAME_TEXT_MAX + 16];
    struct dns_answer answer;
    int len = snprintf(name, sizeof(name), "_%u._tcp.%s", port, base);
    if (len < 0 || (size_t)len >= sizeof(name))
        return -EINVAL;
    int result = lookup->ask(lookup->context, name, DNS_TLSA, arena, &answer);
    if (result != 0)
        return result;
    switch (answer.outcome) {
    case DNS_FOUND:
        return answer.is_secure ? take(&answer, base, set) : (int)DANE_NONE;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        return DANE_NONE;
    case DNS_FAILED:
    case DNS_BOGUS:
        break;
    }
    set->reason = answer.reason;
    return DANE_LATER;
}

static bool is_alias(const char *host, const struct dns_answer *addresses)
{
    return addresses->canonical[0] != 0 && !dns_name_equal(span_of_text(host), span_of_text(addresses->canonical));
}

/* Whether DNSSEC vouches at least for this host's being an alias. */
static int is_secure_alias(const struct dns_lookup *lookup, const char *host, struct arena *arena, bool *ret_is_secure)
{
    struct dns_answer answer;
    int result = lookup->ask(lookup->context, host, DNS_CNAME, arena, &answer);
    if (result == 0)
        *ret_is_secure = answer.outcome == DNS_FOUND && answer.is_secure;
    return result;
}

int dane_find(const struct dns_lookup *lookup, const char *host, const struct dns_answer *addresses, uint16_t port,
              struct arena *arena, struct dane_set *ret_set)
{
    bool has_alias = is_alias(host, addresses);
    *ret_set = (struct dane_set){.base = host, .reason = ""};
    if (!addresses->is_secure) {
        bool is_secure = false;
        int result = has_alias ? is_secure_alias(lookup, host, arena, &is_secure) : 0;
        if (result != 0 || !is_secure)
            return result != 0 ? result : (int)DANE_NONE;
    } else if (has_alias) {
        int result = find_at(lookup, addresses->canonical, port, arena, ret_set);
        if (result != DANE_NONE)
            return result;
    }
    return find_at(lookup, host, port, arena, ret_set);
}
