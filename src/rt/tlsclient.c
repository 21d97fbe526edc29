#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/tls.h"

struct tls_client {
    SSL_CTX *context;
};

static int configure(SSL_CTX *context, const char *roots)
{
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || SSL_CTX_dane_enable(context) != 1)
        return -EINVAL;
    /* RFC 7672 §3.1.1: a certificate named by its key is good whatever its dates and names say. */
    (void)SSL_CTX_dane_set_flags(context, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    if (roots[0] != '\0' && SSL_CTX_load_verify_file(context, roots) != 1 && access(roots, F_OK) == 0)
        return -EINVAL;
    return 0;
}

int tls_client_new(const char *roots, struct tls_client **ret_client)
{
    AUTO(tls_client) struct tls_client *client = mem_new(sizeof(*client));
    if (client == NULL)
        return -ENOMEM;
    client->context = SSL_CTX_new(TLS_client_method());
    int result = client->context == NULL ? -ENOMEM : configure(client->context, roots);
    ERR_clear_error();
    if (result < 0)
        return result;
    *ret_client = TAKE(client);
    return 0;
}

void tls_client_free(struct tls_client *client)
{
    if (client == NULL)
        return;
    SSL_CTX_free(client->context);
    free(client);
}

static int demand_names(SSL *ssl, const struct tls_demand *demand)
{
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (size_t i = 0; i < demand->name_count; i++)
        if (SSL_add1_host(ssl, demand->names[i]) != 1)
            return -EINVAL;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return demand->proof == TLS_PROOF_NAMES && demand->name_count == 0 ? -EINVAL : 0;
}

static int demand_records(SSL *ssl, const struct tls_demand *demand)
{
    int usable = 0;
    if (SSL_dane_enable(ssl, demand->host) <= 0)
        return -EINVAL;
    for (size_t i = 0; i < demand->record_count; i++) {
        const struct tls_record *record = &demand->records[i];
        usable += SSL_dane_tlsa_add(ssl, record->usage, record->selector, record->matching, record->data.at,
                                    record->data.len) > 0;
    }
    return usable > 0 ? demand_names(ssl, demand) : -EINVAL;
}

int tls_client_begin(struct tls_client *client, const struct tls_demand *demand, struct ssl_st **ret_ssl)
{
    SSL *ssl = SSL_new(client->context);
    if (ssl == NULL)
        return -ENOMEM;
    int result = 0;
    if (demand->proof == TLS_PROOF_DANE)
        result = demand_records(ssl, demand);
    else if (demand->proof == TLS_PROOF_NAMES)
        result = demand_names(ssl, demand);
    else if ((result = demand_names(ssl, demand)) == 0) /* who they are may still be of interest */
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    if (result == 0 && demand->proof != TLS_PROOF_DANE && demand->host != NULL && demand->host[0] != '\0' &&
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)demand->host) != 1)
        result = -EINVAL;
    ERR_clear_error();
    if (result < 0) {
        SSL_free(ssl);
        return result;
    }
    *ret_ssl = ssl;
    return 0;
}
