#include "proto/sasl/scram.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "base/base64.h"
#include "crypto/secret.h"

#define MESSAGE_MAX 4096U
#define BINDING_MAX 1024U

/* --- parsing (RFC 5802 §7) --- */

/* printable: no comma, no control (RFC 5802 §7). */
static bool is_nonce(span_t nonce)
{
    for (size_t at = 0; at < nonce.len; at++)
        if (!ascii_is_print(nonce.at[at]) || nonce.at[at] == ',')
            return false;
    return nonce.len > 0 && nonce.len <= SCRAM_CLIENT_NONCE_MAX + SCRAM_NONCE_LEN;
}

static bool is_binding_name(span_t name)
{
    for (size_t at = 0; at < name.len; at++) {
        uint8_t byte = name.at[at];
        if (!ascii_is_alpha(byte) && !ascii_is_digit(byte) && byte != '.' && byte != '-')
            return false;
    }
    return name.len > 0;
}

/* saslname: "=" only as =2C or =3D (RFC 5802 §5.1). */
static bool is_name(span_t name)
{
    for (size_t at = 0; at < name.len; at++) {
        if (name.at[at] == 0)
            return false;
        span_t escape = span_slice(name, at, 3);
        if (name.at[at] == '=' && !span_equal_nocase(escape, SPAN("=2C")) && !span_equal_nocase(escape, SPAN("=3D")))
            return false;
    }
    return name.len > 0 && name.len <= SASL_NAME_MAX;
}

/* attr-val: ALPHA "=" value. */
static bool is_extension(span_t pair)
{
    if (pair.len < 3 || !ascii_is_alpha(pair.at[0]) || pair.at[1] != '=')
        return false;
    return span_find_byte(pair, 0) == pair.len;
}

/* Cuts off "X=value," and gives the value; the last of a message has no comma after it. */
static bool cut_value(span_t *rest, const char *prefix, span_t *ret_value)
{
    span_t piece;
    if (!span_starts(*rest, span_of_text(prefix)) || !span_cut(rest, ',', &piece))
        return false;
    *ret_value = span_from(piece, strlen(prefix));
    return true;
}

static bool are_extensions(span_t rest)
{
    span_t pair;
    while (rest.len > 0) {
        if (!span_cut(&rest, ',', &pair) || !is_extension(pair))
            return false;
    }
    return true;
}

static bool binding_flag_parse(span_t flag, struct scram_first *first)
{
    first->binding_type = SPAN_NONE;
    if (span_equal(flag, SPAN("n"))) {
        first->binding = SCRAM_BINDING_UNSUPPORTED;
        return true;
    }
    if (span_equal(flag, SPAN("y"))) {
        first->binding = SCRAM_BINDING_NOT_OFFERED;
        return true;
    }
    first->binding = SCRAM_BINDING_USED;
    first->binding_type = span_from(flag, 2);
    return span_starts(flag, SPAN("p=")) && is_binding_name(first->binding_type);
}

int scram_first_parse(span_t message, struct scram_first *ret_first)
{
    struct scram_first first = {0};
    span_t rest = message;
    span_t flag;
    span_t authzid;
    if (message.len > MESSAGE_MAX || !span_cut(&rest, ',', &flag) || !binding_flag_parse(flag, &first))
        return SASL_MALFORMED;
    if (!span_cut(&rest, ',', &authzid) || rest.len == 0)
        return SASL_MALFORMED;
    if (authzid.len > 0 && (!span_starts(authzid, SPAN("a=")) || !is_name(span_from(authzid, 2))))
        return SASL_MALFORMED;
    first.gs2_header = span_upto(message, message.len - rest.len);
    first.bare = rest;
    if (!cut_value(&rest, "n=", &first.user_quoted) || !is_name(first.user_quoted))
        return SASL_MALFORMED;
    if (!cut_value(&rest, "r=", &first.nonce) || !is_nonce(first.nonce) || first.nonce.len > SCRAM_CLIENT_NONCE_MAX)
        return SASL_MALFORMED;
    if (!are_extensions(rest))
        return SASL_MALFORMED;
    if (authzid.len > 0 && !span_equal(span_from(authzid, 2), first.user_quoted))
        return SASL_REFUSED;
    *ret_first = first;
    return SASL_OK;
}

int scram_final_parse(span_t message, struct scram_final *ret_final)
{
    struct scram_final final = {0};
    if (message.len > MESSAGE_MAX)
        return SASL_MALFORMED;
    size_t comma = span_find_last_byte(message, ',');
    span_t proof = span_from(message, comma + 1);
    if (comma == message.len || !span_starts(proof, SPAN("p=")))
        return SASL_MALFORMED;
    final.without_proof = span_upto(message, comma);
    span_t rest = final.without_proof;
    if (!cut_value(&rest, "c=", &final.binding) || final.binding.len == 0)
        return SASL_MALFORMED;
    if (!cut_value(&rest, "r=", &final.nonce) || !is_nonce(final.nonce) || !are_extensions(rest))
        return SASL_MALFORMED;
    AUTO_BUF struct buf decoded = {0};
    buf_init(&decoded, BINDING_MAX);
    int result = base64_decode(span_from(proof, 2), &decoded);
    if (result == -ENOMEM)
        return result;
    if (result != 0 || buf_len(&decoded) != SCRAM_KEY_SIZE)
        return SASL_MALFORMED;
    memcpy(final.proof, buf_span(&decoded).at, SCRAM_KEY_SIZE);
    *ret_final = final;
    return SASL_OK;
}

int scram_name_unquote(span_t quoted, struct buf *name)
{
    for (size_t at = 0; at < quoted.len; at++) {
        if (quoted.at[at] != '=') {
            buf_append_byte(name, quoted.at[at]);
            continue;
        }
        buf_append_byte(name, span_equal_nocase(span_slice(quoted, at, 3), SPAN("=2C")) ? ',' : '=');
        at += 2;
    }
    return buf_fault(name);
}

int scram_binding_check(span_t binding_base64, span_t gs2_header, span_t binding_data)
{
    AUTO_BUF struct buf decoded = {0};
    buf_init(&decoded, MESSAGE_MAX);
    int result = base64_decode(binding_base64, &decoded);
    if (result == -ENOMEM)
        return result;
    span_t said = buf_span(&decoded);
    if (result != 0 || !span_starts(said, gs2_header))
        return SASL_REFUSED;
    return secret_equal(span_from(said, gs2_header.len), binding_data) ? SASL_OK : SASL_REFUSED;
}

/* --- mathematics (RFC 5802 §3) --- */

static void hmac(const uint8_t key[SCRAM_KEY_SIZE], span_t message, uint8_t out[SCRAM_KEY_SIZE])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, SCRAM_KEY_SIZE);
    if (message.len > 0)
        crypto_auth_hmacsha256_update(&state, message.at, message.len);
    crypto_auth_hmacsha256_final(&state, out);
    secret_wipe(&state, sizeof(state));
}

int scram_keys_derive(span_t password, span_t salt, uint32_t iterations, struct scram_keys *ret_keys)
{
    if (password.len > SASL_NAME_MAX || salt.len > SASL_NAME_MAX || iterations < 1 || iterations > INT32_MAX)
        return -EINVAL;
    uint8_t salted[SCRAM_KEY_SIZE];
    const char *text = password.len == 0 ? "" : (const char *)password.at;
    if (PKCS5_PBKDF2_HMAC(text, (int)password.len, salt.at, (int)salt.len, (int)iterations, EVP_sha256(),
                          sizeof(salted), salted) != 1)
        return -EIO;
    hmac(salted, SPAN("Client Key"), ret_keys->client);
    hmac(salted, SPAN("Server Key"), ret_keys->server);
    crypto_hash_sha256(ret_keys->stored, ret_keys->client, SCRAM_KEY_SIZE);
    secret_wipe(salted, sizeof(salted));
    return 0;
}

int scram_proof_open(const uint8_t proof[SCRAM_KEY_SIZE], const uint8_t stored[SCRAM_KEY_SIZE], span_t auth_message,
                     uint8_t ret_client_key[SCRAM_KEY_SIZE])
{
    uint8_t client[SCRAM_KEY_SIZE];
    uint8_t hash[SCRAM_KEY_SIZE];
    hmac(stored, auth_message, client);
    for (size_t at = 0; at < SCRAM_KEY_SIZE; at++)
        client[at] ^= proof[at];
    crypto_hash_sha256(hash, client, SCRAM_KEY_SIZE);
    bool fits = secret_equal(span_of(hash, sizeof(hash)), span_of(stored, SCRAM_KEY_SIZE));
    if (fits)
        memcpy(ret_client_key, client, SCRAM_KEY_SIZE);
    secret_wipe(client, sizeof(client));
    return fits ? SASL_OK : SASL_REFUSED;
}

int scram_server_signature(const uint8_t server[SCRAM_KEY_SIZE], span_t auth_message,
                           uint8_t ret_signature[SCRAM_KEY_SIZE])
{
    hmac(server, auth_message, ret_signature);
    return 0;
}
