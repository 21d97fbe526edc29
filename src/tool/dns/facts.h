#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "conf/conf.h"

/* What a domain's records are made from: the settings, and the certificate. */
#define FACTS_DIGEST_SIZE 32U
#define FACTS_DIGESTS_MAX 2U
#define FACTS_KEYS_MAX 8U

struct facts {
    const struct conf *conf;
    const char *domain; /* both in lower case, A-labels, no last dot */
    const char *host;
    size_t digest_count; /* SHA-256 of the public keys: [tls] certificate, then [tls] next */
    uint8_t digests[FACTS_DIGESTS_MAX][FACTS_DIGEST_SIZE];
    bool is_self_signed;   /* the certificate is its own issuer, or could not be read */
    const char *authority; /* the issuer's name in CAA records (RFC 8659 §4.2); NULL: not known */
    size_t key_count;      /* DKIM keys, as the running server has them */
    struct facts_key {
        const char *selector;
        span_t record; /* the TXT record's text */
    } keys[FACTS_KEYS_MAX];
    const char *problem; /* what could not be found out, in words; "" */
};

/* All of it is the arena's or the settings'. -EINVAL: the domain, or our host name, is none; -ENOMEM. A certificate
 * that cannot be read is only a problem. */
MUST_USE int facts_gather(const struct conf *conf, const char *domain, struct arena *arena, struct facts *ret_facts);
