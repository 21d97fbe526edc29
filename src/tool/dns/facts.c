#include "tool/dns/facts.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "tool/dns/keys.h"
#include "trust/domain.h"

#define PROBLEM_MAX (PATH_MAX + 200)

static void file_release(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

static void key_release(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void x509_release(X509 **certificate)
{
    X509_free(*certificate);
}

#define AUTO_FILE __attribute__((cleanup(file_release)))
#define AUTO_KEY __attribute__((cleanup(key_release)))
#define AUTO_X509 __attribute__((cleanup(x509_release)))

/* Authorities by the organization in their certificates, and the name they look for in CAA. */
static const struct {
    const char *organization;
    const char *name;
} authorities[] = {
    {"Let's Encrypt", "letsencrypt.org"},  {"ZeroSSL", "sectigo.com"},
    {"Sectigo Limited", "sectigo.com"},    {"Buypass AS-983163327", "buypass.com"},
    {"Google Trust Services", "pki.goog"}, {"Google Trust Services LLC", "pki.goog"},
    {"DigiCert Inc", "digicert.com"},      {"SSL Corp", "ssl.com"},
};

static const char *find_authority(const X509 *certificate)
{
    char organization[128];
    const int len = X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_organizationName, organization,
                                              sizeof(organization));
    for (size_t i = 0; len > 0 && i < COUNT_OF(authorities); i++)
        if (strcmp(organization, authorities[i].organization) == 0)
            return authorities[i].name;
    return NULL;
}

/* SHA-256 of the SubjectPublicKeyInfo: TLSA selector 1, matching type 1 (RFC 6698 §2.1). */
static bool add_digest(struct facts *facts, EVP_PKEY *key)
{
    unsigned char *der = NULL;
    const int len = i2d_PUBKEY(key, &der);
    bool is_done = false;
    if (len > 0)
        is_done = EVP_Digest(der, (size_t)len, facts->digests[facts->digest_count], NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    facts->digest_count += is_done;
    return is_done;
}

static bool read_certificate(struct facts *facts, FILE *file)
{
    AUTO_X509 X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    if (certificate == NULL)
        return false;
    facts->is_self_signed = X509_self_signed(certificate, 0) == 1;
    facts->authority = find_authority(certificate);
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    return key != NULL && add_digest(facts, key);
}

/* A certificate, a private key or a public one: whatever is there already. */
static bool read_next(struct facts *facts, FILE *file)
{
    AUTO_X509 X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    EVP_PKEY *of_certificate = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
    if (of_certificate != NULL)
        return add_digest(facts, of_certificate);
    rewind(file);
    AUTO_KEY EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    if (key == NULL) {
        rewind(file);
        key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    }
    return key != NULL && add_digest(facts, key);
}

typedef bool read_function(struct facts *facts, FILE *file);

static int read_pem(struct facts *facts, const char *path, read_function *read, struct arena *arena)
{
    char problem[PROBLEM_MAX];
    AUTO_FILE FILE *file = fopen(path, "re");
    const int fault = file == NULL ? errno : 0;
    if (file != NULL && read(facts, file))
        return 0;
    (void)snprintf(problem, sizeof(problem), "cannot read %s, so records made from it are missing here: %s", path,
                   file == NULL ? strerror(fault) : "there is no certificate or key in it");
    facts->problem = arena_text(arena, span_of_text(problem));
    return facts->problem == NULL ? -ENOMEM : 0;
}

static int read_keys(struct facts *facts, struct arena *arena)
{
    char path[PATH_MAX];
    const struct conf *conf = facts->conf;
    (void)snprintf(path, sizeof(path), "%s/tls-cert.pem", conf->server_data);
    facts->is_self_signed = true;
    const int result =
        read_pem(facts, conf->tls_certificate[0] != '\0' ? conf->tls_certificate : path, read_certificate, arena);
    if (result < 0 || conf->tls_next[0] == '\0')
        return result;
    return read_pem(facts, conf->tls_next, read_next, arena);
}

static int read_name(const char *text, struct arena *arena, const char **ret_name)
{
    span_t name = SPAN_NONE;
    const int result = domain_normal(span_of_text(text), arena, &name);
    if (result < 0)
        return result;
    *ret_name = arena_text(arena, name);
    return *ret_name == NULL ? -ENOMEM : 0;
}

int facts_gather(const struct conf *conf, const char *domain, struct arena *arena, struct facts *ret_facts)
{
    struct facts facts = {.conf = conf, .problem = ""};
    int result = read_name(domain, arena, &facts.domain);
    if (result == 0)
        result = read_name(conf->server_hostname, arena, &facts.host);
    if (result == 0)
        result = read_keys(&facts, arena);
    if (result == 0)
        result = facts_ask_keys(&facts, arena);
    if (result == 0)
        *ret_facts = facts;
    return result;
}
