#include "rt/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/mem.h"

#define READ_AHEAD 65536U
#define SELF_SIGNED_SECONDS (10L * 365 * 24 * 3600)

struct tls_server {
    SSL_CTX *context;
};

static void bio_release(BIO **bio)
{
    BIO_free(*bio);
}

static void key_release(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void x509_release(X509 **certificate)
{
    X509_free(*certificate);
}

#define AUTO_BIO __attribute__((cleanup(bio_release)))
#define AUTO_KEY __attribute__((cleanup(key_release)))
#define AUTO_X509 __attribute__((cleanup(x509_release)))

static int load_chain(SSL_CTX *context, span_t certificates)
{
    AUTO_BIO BIO *bio = BIO_new_mem_buf(certificates.at, (int)certificates.len);
    if (bio == NULL)
        return -ENOMEM;
    AUTO_X509 X509 *own = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (own == NULL || SSL_CTX_use_certificate(context, own) != 1)
        return -EINVAL;
    for (;;) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (next == NULL)
            return 0;
        if (SSL_CTX_add0_chain_cert(context, next) != 1) {
            X509_free(next);
            return -EINVAL;
        }
    }
}

static int load_key(SSL_CTX *context, span_t pem)
{
    AUTO_BIO BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    if (bio == NULL)
        return -ENOMEM;
    AUTO_KEY EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    if (key == NULL || SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1)
        return -EINVAL;
    return 0;
}

/* Buffers are given back between records: an idle connection must cost little. Tickets serve resumption, so no cache.
 */
static int configure(SSL_CTX *context, enum tls_version lowest)
{
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Without reading ahead every record costs two reads: its head, and the rest. */
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    int done = SSL_CTX_set_num_tickets(context, 1) == 1 &&
               SSL_CTX_set_min_proto_version(context, lowest == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1;
    return done ? 0 : -EINVAL;
}

int tls_server_new(span_t certificates, span_t key, enum tls_version lowest, struct tls_server **ret_server)
{
    if (certificates.len > INT32_MAX || key.len > INT32_MAX)
        return -EINVAL;
    AUTO(tls_server) struct tls_server *server = mem_new(sizeof(*server));
    if (server == NULL)
        return -ENOMEM;
    server->context = SSL_CTX_new(TLS_server_method());
    if (server->context == NULL)
        return -ENOMEM;
    int result = configure(server->context, lowest);
    if (result == 0)
        result = load_chain(server->context, certificates);
    if (result == 0)
        result = load_key(server->context, key);
    ERR_clear_error();
    if (result < 0)
        return result;
    *ret_server = TAKE(server);
    return 0;
}

void tls_server_free(struct tls_server *server)
{
    if (server == NULL)
        return;
    SSL_CTX_free(server->context);
    free(server);
}

struct ssl_ctx_st *tls_server_context(struct tls_server *server)
{
    return server->context;
}

static int add_alternative_name(X509 *certificate, const char *hostname)
{
    AUTO_BUF struct buf value;
    buf_init(&value, 512);
    (void)buf_append_text(&value, "DNS:");
    (void)buf_append_text(&value, hostname);
    (void)buf_append_byte(&value, 0);
    if (buf_fault(&value) != 0)
        return -EINVAL;
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, (const char *)buf_span(&value).at);
    if (extension == NULL)
        return -EINVAL;
    int added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added == 1 ? 0 : -ENOMEM;
}

static int fill_certificate(X509 *certificate, EVP_PKEY *key, const char *hostname)
{
    uint8_t serial[16];
    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return -EIO;
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    bool done = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    X509_NAME *name = X509_get_subject_name(certificate);
    done = done && X509_set_version(certificate, X509_VERSION_3) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), SELF_SIGNED_SECONDS) != NULL &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)hostname, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1;
    if (!done)
        return -EINVAL;
    int result = add_alternative_name(certificate, hostname);
    if (result < 0)
        return result;
    return X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : -EINVAL;
}

static int append_bio(BIO *bio, struct buf *into)
{
    char *at = NULL;
    long len = BIO_get_mem_data(bio, &at);
    return buf_append(into, span_of(at, (size_t)len));
}

int tls_self_signed(const char *hostname, struct buf *certificate, struct buf *key)
{
    AUTO_KEY EVP_PKEY *pair = EVP_EC_gen("P-256");
    AUTO_X509 X509 *made = X509_new();
    AUTO_BIO BIO *certificate_bio = BIO_new(BIO_s_mem());
    AUTO_BIO BIO *key_bio = BIO_new(BIO_s_mem());
    if (pair == NULL || made == NULL || certificate_bio == NULL || key_bio == NULL)
        return -ENOMEM;
    int result = fill_certificate(made, pair, hostname);
    ERR_clear_error();
    if (result < 0)
        return result;
    if (PEM_write_bio_X509(certificate_bio, made) != 1 ||
        PEM_write_bio_PrivateKey(key_bio, pair, NULL, NULL, 0, NULL, NULL) != 1)
        return -ENOMEM;
    result = append_bio(certificate_bio, certificate);
    return result < 0 ? result : append_bio(key_bio, key);
}
