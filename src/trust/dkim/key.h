#pragma once

#include "base/scope.h"
#include "proto/dns/lookup.h"
#include "trust/dkim/signature.h"

/* The public key of a selector, as its TXT record has it (RFC 6376 §3.6.1, RFC 8463 §4). */
struct dkim_key {
    struct evp_pkey_st *key;
    enum dkim_algorithm algorithm; /* DKIM_RSA_SHA256 or DKIM_ED25519_SHA256 */
    unsigned bits;
    bool is_testing; /* t=y */
    bool is_strict;  /* t=s: i= has just the domain of d= */
};

/* RFC 8301 §3.2 */
#define DKIM_RSA_BITS_MIN 1024U
#define DKIM_RSA_BITS_MAX 8192U

/* For DKIM and ARC alike (RFC 8601 §2.7.1). */
enum dkim_result { DKIM_NONE, DKIM_PASS, DKIM_FAIL, DKIM_POLICY, DKIM_NEUTRAL, DKIM_TEMPERROR, DKIM_PERMERROR };

struct dkim_problem {
    enum dkim_result result;
    const char *reason;
};

/* Reads a record, for a signature of this algorithm. DKIM_NONE: *ret_key is set. Else what is wrong with it. */
MUST_USE struct dkim_problem dkim_key_parse(span_t text, enum dkim_algorithm algorithm, struct dkim_key *ret_key);

/* Looks it up and reads it; *ret_problem as above. 0, -ENOMEM, -ECANCELED. */
MUST_USE int dkim_key_find(const struct dns_lookup *lookup, const struct dkim_signature *signature, struct arena *arena,
                           struct dkim_key *ret_key, struct dkim_problem *ret_problem);

bool dkim_key_verifies(const struct dkim_key *key, const uint8_t hash[DKIM_HASH_SIZE], span_t signature);

void dkim_key_deinit(struct dkim_key *key);
#define AUTO_DKIM_KEY __attribute__((cleanup(dkim_key_deinit)))
