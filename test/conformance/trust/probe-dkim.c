#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "mime/header.h"
#include "probe.h"
#include "trust/dkim/sign.h"
#include "trust/dkim/verify.h"

static void feed(struct dkim_body *body, span_t rest, size_t chunk)
{
    while (rest.len > 0) {
        dkim_body_add(body, span_upto(rest, chunk));
        rest = span_from(rest, chunk);
    }
}

static int verify(struct probe *probe, uint64_t now, size_t chunk, struct dkim_verifier **ret_verifier)
{
    AUTO(dkim_body) struct dkim_body *body = NULL;
    struct dkim_header header;
    struct dns_lookup lookup = zone_lookup(probe->zone);
    span_t message = buf_span(&probe->message);
    size_t header_len = mime_header_len(message);
    int result = dkim_header_index(span_upto(message, header_len), probe->arena, &header);
    if (result == 0)
        result = dkim_body_new(&body);
    if (result == 0)
        result = dkim_verifier_new(&header, body, probe->arena, ret_verifier);
    if (result != 0)
        return result;
    feed(body, span_from(message, header_len), chunk);
    result = dkim_body_finish(body);
    return result != 0 ? result : dkim_verifier_finish(*ret_verifier, &header, body, &lookup, now, probe->arena);
}

void probe_dkim(struct probe *probe, char **words)
{
    struct dkim_verifier *verifier = NULL;
    if (verify(probe, strtoull(words[1], NULL, 10), strtoul(words[2], NULL, 10), &verifier) != 0) {
        puts("error");
        return;
    }
    for (size_t i = 0; i < verifier->count; i++) {
        const struct dkim_verdict *verdict = &verifier->tasks[i].verdict;
        printf("%s\t%s\t%.*s\t%.*s\t%u\n", dkim_result_text(verdict->result), verdict->reason,
               SPAN_PRINT(verdict->signature.domain), SPAN_PRINT(verdict->signature.selector), verdict->bits);
    }
}

int probe_sign_hash(void *context, enum dkim_algorithm algorithm, span_t selector, const uint8_t *hash,
                    struct buf *signature)
{
    EVP_PKEY *key = context;
    size_t len = 1024;
    uint8_t *at = NULL;
    bool good = false;
    (void)selector;
    if (buf_reserve(signature, len, &at) != 0)
        return -ENOMEM;
    if (algorithm == DKIM_RSA_SHA256) {
        EVP_PKEY_CTX *signing = EVP_PKEY_CTX_new(key, NULL);
        good = signing != NULL && EVP_PKEY_sign_init(signing) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(signing, RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(signing, EVP_sha256()) == 1 &&
               EVP_PKEY_sign(signing, at, &len, hash, DKIM_HASH_SIZE) == 1;
        EVP_PKEY_CTX_free(signing);
    } else {
        EVP_MD_CTX *signing = EVP_MD_CTX_new();
        good = signing != NULL && EVP_DigestSignInit(signing, NULL, NULL, NULL, key) == 1 &&
               EVP_DigestSign(signing, at, &len, hash, DKIM_HASH_SIZE) == 1;
        EVP_MD_CTX_free(signing);
    }
    if (good)
        buf_commit(signature, len);
    return good ? 0 : -EIO;
}

EVP_PKEY *probe_load_key(const char *path)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = file != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (file != NULL)
        (void)fclose(file);
    return key;
}

enum dkim_algorithm probe_algorithm(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
}

void probe_print_hex(span_t bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", bytes.at[i]);
    puts("");
}

static int sign(struct probe *probe, EVP_PKEY *key, char **words, struct buf *lines)
{
    AUTO(dkim_body) struct dkim_body *body = NULL;
    struct dkim_header header;
    uint64_t len = 0;
    size_t index = 0;
    span_t message = buf_span(&probe->message);
    size_t header_len = mime_header_len(message);
    int result = dkim_header_index(span_upto(message, header_len), probe->arena, &header);
    if (result == 0)
        result = dkim_body_new(&body);
    if (result == 0)
        result = dkim_body_want(body, DKIM_RELAXED, DKIM_NO_LIMIT, &index);
    if (result != 0)
        return result;
    feed(body, span_from(message, header_len), 1000);
    result = dkim_body_finish(body);
    if (result != 0)
        return result;
    const struct dkim_signer signer = {.sign = probe_sign_hash, .context = key};
    const struct dkim_signing signing = {
        .kind = DKIM_OF_MESSAGE,
        .algorithm = probe_algorithm(key),
        .domain = span_of_text(words[1]),
        .selector = span_of_text(words[2]),
        .now = strtoull(words[4], NULL, 10),
        .lifetime = 86400,
        .body_hash = dkim_body_hash(body, index, &len),
    };
    return dkim_sign(&signing, &header, &signer, lines);
}

void probe_dkim_sign(struct probe *probe, char **words)
{
    AUTO_BUF struct buf lines;
    buf_init(&lines, 65536);
    EVP_PKEY *key = probe_load_key(words[3]);
    if (key == NULL || sign(probe, key, words, &lines) != 0)
        puts("error");
    else
        probe_print_hex(buf_span(&lines));
    EVP_PKEY_free(key);
}
