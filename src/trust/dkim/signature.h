#pragma once

#include "mime/header.h"
#include "trust/dkim/body.h"

/* A signature field, taken apart: DKIM-Signature (RFC 6376 §3.5), ARC-Message-Signature and ARC-Seal (RFC 8617 §4.1).
 */
enum dkim_kind { DKIM_OF_MESSAGE, DKIM_OF_ARC_MESSAGE, DKIM_OF_ARC_SEAL };

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_RSA_SHA1, DKIM_UNKNOWN };

#define DKIM_SIGNATURE_MAX 65536U /* bytes of such a field */
#define DKIM_NAMES_MAX 256U       /* in h= */
#define ARC_INSTANCES_MAX 50U     /* RFC 8617 §4.2.1 */

struct dkim_signature {
    span_t field;   /* whole, as it stands in the message */
    span_t empty_b; /* the part of it that is left out when it is signed itself (RFC 6376 §3.7) */
    enum dkim_algorithm algorithm;
    span_t algorithm_text;
    enum dkim_canon header_canon;
    enum dkim_canon body_canon;
    span_t domain;   /* normal */
    span_t selector; /* normal */
    span_t identity; /* i=, or "@" and the domain; of a signature proper */
    span_t names;    /* h=, without white space */
    span_t signature;
    span_t signature_text; /* b=, without white space */
    uint8_t body_hash[DKIM_HASH_SIZE];
    uint64_t limit;    /* l=, or DKIM_NO_LIMIT */
    uint64_t time;     /* t=; 0: not given */
    uint64_t expiry;   /* x=; 0: not given */
    unsigned instance; /* i= of ARC */
    span_t chain;      /* cv= of an ARC-Seal */
};

/* NULL, or in words what is wrong with it; what could be read until then is set. *ret_result is 0 or -ENOMEM. */
const char *dkim_signature_parse(enum dkim_kind kind, span_t field, struct arena *arena,
                                 struct dkim_signature *ret_signature, int *ret_result);

/* Whether h= names the field. */
bool dkim_signature_covers(const struct dkim_signature *signature, span_t name);
