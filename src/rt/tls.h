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

/* A new key (P-256) and a certificate for the name signed by itself, ten years long, both appended as PEM. */
MUST_USE int tls_self_signed(const char *hostname, struct buf *certificate, struct buf *key);

/* For streams: the SSL_CTX inside. */
struct ssl_ctx_st *tls_server_context(struct tls_server *server);

SCOPE_OF(tls_server)
