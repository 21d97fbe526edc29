#include "trust/dkim/key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "proto/dns/rdata.h"
#include "trust/ask.h"
#include "trust/dkim/rsakey.h"
#include "trust/taglist.h"

#define RECORD_MAX 16384U
#define RECORDS_MAX 4U /* at one selector; the first that can be read counts (RFC 6376 §3.6.2.2) */
#define ED25519_SIZE 32U

static struct dkim_problem problem(enum dkim_result result, const char *reason)
{
    return (struct dkim_problem){result, reason};
}

static bool list_has(span_t list, const char *word)
{
    for (span_t item; span_cut(&list, ':', &item);)
        if (span_equal_nocase(span_trim(item), span_of_text(word)))
            return true;
    return false;
}

static int decode(span_t text, struct buf *bytes)
{
    AUTO_BUF struct buf packed;
    buf_init(&packed, RECORD_MAX);
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_space(text.at[i]) && text.at[i] != '\r' && text.at[i] != '\n')
            (void)buf_append_byte(&packed, text.at[i]);
    return buf_fault(&packed) != 0 ? buf_fault(&packed) : base64_decode(buf_span(&packed), bytes);
}

/* A SubjectPublicKeyInfo; some publish the RSAPublicKey inside it (RFC 6376 §3.6.1 and its erratum 3017). */
static EVP_PKEY *rsa_of(span_t der)
{
    const uint8_t *at = der.at;
    EVP_PKEY *key = rsa_key_read(der);
    if (key != NULL)
        return key;
    key = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (key != NULL && EVP_PKEY_is_a(key, "RSA"))
        return key;
    EVP_PKEY_free(key);
    at = der.at;
    return d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
}

static struct dkim_problem load(span_t bytes, struct dkim_key *key)
{
    if (key->algorithm == DKIM_ED25519_SHA256) {
        if (bytes.len == ED25519_SIZE)
            key->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes.at, bytes.len);
    } else {
        key->key = rsa_of(bytes);
    }
    if (key->key == NULL)
        return problem(DKIM_PERMERROR, "the key cannot be read");
    key->bits = (unsigned)EVP_PKEY_get_bits(key->key);
    bool is_rsa = key->algorithm == DKIM_RSA_SHA256;
    if (is_rsa && key->bits < DKIM_RSA_BITS_MIN)
        return problem(DKIM_POLICY, "the key is too short");
    if (is_rsa && key->bits > DKIM_RSA_BITS_MAX)
        return problem(DKIM_POLICY, "the key is too long");
    return problem(DKIM_NONE, "");
}

static struct dkim_problem read_tags(const struct taglist *tags, enum dkim_algorithm algorithm, struct dkim_key *key)
{
    span_t version = taglist_value(tags, "v");
    span_t kind = taglist_value(tags, "k");
    span_t hashes = taglist_value(tags, "h");
    span_t services = taglist_value(tags, "s");
    span_t flags = taglist_value(tags, "t");
    const char *wanted = algorithm == DKIM_ED25519_SHA256 ? "ed25519" : "rsa";
    if (version.at != NULL && !taglist_is_version(tags, "DKIM1"))
        return problem(DKIM_PERMERROR, "the key has another version");
    if (!span_equal_nocase(kind.at != NULL ? kind : SPAN("rsa"), span_of_text(wanted)))
        return problem(DKIM_PERMERROR, "the key is of another kind");
    if (hashes.at != NULL && !list_has(hashes, "sha256"))
        return problem(DKIM_PERMERROR, "the key is not for SHA-256");
    if (services.at != NULL && !list_has(services, "*") && !list_has(services, "email"))
        return problem(DKIM_PERMERROR, "the key is not for mail");
    *key = (struct dkim_key){
        .algorithm = algorithm, .is_testing = list_has(flags, "y"), .is_strict = list_has(flags, "s")};
    return problem(DKIM_NONE, "");
}

struct dkim_problem dkim_key_parse(span_t text, enum dkim_algorithm algorithm, struct dkim_key *ret_key)
{
    struct taglist tags;
    struct dkim_key key = {.key = NULL};
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, RECORD_MAX);
    if (text.len > RECORD_MAX || taglist_parse(text, &tags) != TAGLIST_OK)
        return problem(DKIM_PERMERROR, "the key's record cannot be understood");
    struct dkim_problem found = read_tags(&tags, algorithm, &key);
    if (found.result != DKIM_NONE)
        return found;
    span_t value = taglist_value(&tags, "p");
    if (value.at == NULL)
        return problem(DKIM_PERMERROR, "the key's record has no key");
    if (value.len == 0)
        return problem(DKIM_PERMERROR, "the key was revoked"); /* RFC 6376 §3.6.1 */
    if (decode(value, &bytes) != 0)
        return problem(DKIM_PERMERROR, "the key cannot be read");
    found = load(buf_span(&bytes), &key);
    if (found.result == DKIM_NONE)
        *ret_key = key;
    else
        EVP_PKEY_free(key.key);
    return found;
}

static int name_of(const struct dkim_signature *signature, struct arena *arena, span_t *ret_name)
{
    AUTO_BUF struct buf name;
    buf_init(&name, 1024);
    (void)buf_append(&name, signature->selector);
    (void)buf_append_text(&name, "._domainkey.");
    (void)buf_append(&name, signature->domain);
    return buf_fault(&name) != 0 ? buf_fault(&name) : arena_copy(arena, buf_span(&name), ret_name);
}

int dkim_key_find(const struct dns_lookup *lookup, const struct dkim_signature *signature, struct arena *arena,
                  struct dkim_key *ret_key, struct dkim_problem *ret_problem)
{
    span_t name = SPAN_NONE;
    struct dns_answer answer;
    int result = name_of(signature, arena, &name);
    if (result == 0)
        result = trust_ask(lookup, name, DNS_TXT, arena, &answer);
    if (result != 0)
        return result;
    *ret_problem = trust_is_temporary(&answer) ? problem(DKIM_TEMPERROR, "the key cannot be had now")
                                               : problem(DKIM_PERMERROR, "there is no such key");
    for (size_t i = 0; i < answer.count && i < RECORDS_MAX; i++) {
        span_t text = SPAN_NONE;
        result = dns_read_txt(answer.records[i], arena, &text);
        if (result == -ENOMEM)
            return result;
        if (result != 0)
            continue;
        *ret_problem = dkim_key_parse(text, signature->algorithm, ret_key);
        if (ret_problem->result == DKIM_NONE)
            break;
    }
    return 0;
}

static bool verify_rsa(EVP_PKEY_CTX *context, const uint8_t *hash, span_t signature)
{
    return EVP_PKEY_verify_init(context) == 1 && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
           EVP_PKEY_verify(context, signature.at, signature.len, hash, DKIM_HASH_SIZE) == 1;
}

/* What Ed25519 signs is the hash itself (RFC 8463 §3). */
bool dkim_key_verifies(const struct dkim_key *key, const uint8_t hash[DKIM_HASH_SIZE], span_t signature)
{
    if (key->algorithm == DKIM_RSA_SHA256) {
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->key, NULL);
        bool good = context != NULL && verify_rsa(context, hash, signature);
        EVP_PKEY_CTX_free(context);
        return good;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->key) == 1 &&
                EVP_DigestVerify(context, signature.at, signature.len, hash, DKIM_HASH_SIZE) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

void dkim_key_deinit(struct dkim_key *key)
{
    EVP_PKEY_free(key->key);
    key->key = NULL;
}
