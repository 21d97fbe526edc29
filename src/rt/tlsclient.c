#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/tls.h"

/* The roots are a megabyte once they are parsed, and many servers seldom send mail: they are read when first needed. */
#define ROOTS_MAX (16U << 20)

struct tls_client {
    SSL_CTX *context;
    int roots; /* the file they are still to be read from, or -1 */
};

static int configure(SSL_CTX *context)
{
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || SSL_CTX_dane_enable(context) != 1)
        return -EINVAL;
    /* RFC 7672 §3.1.1: a certificate named by its key is good whatever its dates and names say. */
    (void)SSL_CTX_dane_set_flags(context, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    return 0;
}

static int add_all(X509_STORE *store, BIO *pem)
{
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL)) != NULL) {
        int added = X509_STORE_add_cert(store, certificate); /* one that it has already is no error */
        X509_free(certificate);
        if (added != 1)
            return -ENOMEM;
    }
    return 0;
}

/* From the descriptor: by now there may be no right to open files. */
static int read_roots(struct tls_client *client)
{
    AUTO_FD int fd = TAKE_FD(client->roots);
    struct stat status;
    if (fd < 0)
        return 0;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size > ROOTS_MAX)
        return -EFBIG;
    AUTO_FREE uint8_t *bytes = mem_new_array((size_t)status.st_size + 1, 1);
    if (bytes == NULL)
        return -ENOMEM;
    ssize_t len = pread(fd, bytes, (size_t)status.st_size, 0);
    if (len < 0)
        return -errno;
    BIO *pem = BIO_new_mem_buf(bytes, (int)len);
    int result = pem == NULL ? -ENOMEM : add_all(SSL_CTX_get_cert_store(client->context), pem);
    BIO_free(pem);
    ERR_clear_error();
    return result;
}

static int open_roots(struct tls_client *client, const char *roots)
{
    client->roots = roots[0] == '\0' ? -1 : open(roots, O_RDONLY | O_CLOEXEC);
    return client->roots < 0 && roots[0] != '\0' && errno != ENOENT ? -EINVAL : 0;
}

int tls_client_new(const char *roots, struct tls_client **ret_client)
{
    AUTO(tls_client) struct tls_client *client = mem_new(sizeof(*client));
    if (client == NULL)
        return -ENOMEM;
    client->roots = -1;
    client->context = SSL_CTX_new(TLS_client_method());
    int result = client->context == NULL ? -ENOMEM : configure(client->context);
    if (result == 0)
        result = open_roots(client, roots);
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
    if (client->roots >= 0)
        (void)close(client->roots);
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
    int result = read_roots(client);
    SSL *ssl = result == 0 ? SSL_new(client->context) : NULL;
    if (ssl == NULL)
        return result < 0 ? result : -ENOMEM;
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
