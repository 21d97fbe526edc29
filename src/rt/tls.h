#pragma once

#include "base/buf.h"
#include "base/scope.h"
#include "base/span.h"

/* What a TLS server is: certificate chain, key, lowest version. Streams that use it must end before it is freed. */
struct tls_server;

enum tls_version { TLS_1_2, TLS_1_3 };

/* Both in PEM. -EINVAL where they cannot be read or do not belong together. */
MUST_USE int tls_server_new(span_t certificates, span_t key, enum tls_version lowest, struct tls_server **ret_server);
void tls_server_free(struct tls_server *server);

/* What a TLS client is: the roots it trusts. Streams that use it must end before it is freed. */
struct tls_client;

/* roots: a file of certificates as PEM, opened at once, and read for the first connection, up to where it is no such
 * file any more; "" or one that is not there: none, and nothing can be proved by a name. -EINVAL where it cannot be
 * opened. */
MUST_USE int tls_client_new(const char *roots, struct tls_client **ret_client);
void tls_client_free(struct tls_client *client);

/* What the server has to prove. */
enum tls_proof {
    TLS_PROOF_NONE, /* nothing: whoever it is, nobody listens in (RFC 7435 §3); the names are looked at all the same */
    TLS_PROOF_NAMES, /* a certificate that the roots vouch for, for one of the names (RFC 9525 §6) */
    TLS_PROOF_DANE,  /* one that a TLSA record names (RFC 7672 §3) */
};

struct tls_record { /* TLSA (RFC 6698 §2.1) */
    uint8_t usage;
    uint8_t selector;
    uint8_t matching;
    span_t data;
};

struct tls_demand {
    enum tls_proof proof;
    const char *host; /* whom to ask for (RFC 6066 §3); of TLS_PROOF_DANE, the base name of the records */
    const char *const *names;
    size_t name_count; /* at least one for TLS_PROOF_NAMES; of TLS_PROOF_DANE, further names that count for usage 2 */
    const struct tls_record *records;
    size_t record_count;
};

/* A new key (P-256) and a certificate for the name signed by itself, ten years long, both appended as PEM. */
MUST_USE int tls_self_signed(const char *hostname, struct buf *certificate, struct buf *key);

/* For streams: the SSL_CTX inside. */
struct ssl_ctx_st *tls_server_context(struct tls_server *server);
/* Likewise an SSL for one connection. -EINVAL where the demand cannot be kept: no usable record, no names; -ENOMEM. */
struct ssl_st;
MUST_USE int tls_client_begin(struct tls_client *client, const struct tls_demand *demand, struct ssl_st **ret_ssl);

SCOPE_OF(tls_server)
SCOPE_OF(tls_client)
