#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "crypto/secret.h"
#include "proto/sasl/scram.h"
#include "tool/transfer/imap-connection.h"

/*
 * SCRAM where it is offered, as it shows the server no password (RFC 7677); else PLAIN (RFC 4616); else LOGIN, unless
 * that is switched off (RFC 3501 §6.2.3). In clear they are reached with --insecure alone.
 */
#define TEXT_MAX 8192U
#define NONCE_SIZE 24U
#define ITERATIONS_MAX 1000000U

static int say_refused(const struct imap_response *response)
{
    return terminal_fail("the other server refuses the login: %.*s", SPAN_PRINT(span_upto(response->rest, 200)));
}

static bool is_ok(const struct imap_response *response)
{
    return span_equal_nocase(response->word, SPAN("OK"));
}

/* --- SCRAM-SHA-256, the client's side (RFC 5802 §3) --- */

struct scram {
    span_t user;
    span_t password;
    struct buf bare;  /* client-first-message-bare */
    struct buf first; /* server-first-message */
    struct scram_keys keys;
    uint8_t server_signature[SCRAM_KEY_SIZE];
    unsigned step;
    bool is_verified;
};

static int say_first(struct scram *scram, struct buf *answer)
{
    uint8_t nonce[NONCE_SIZE];
    AUTO_BUF struct buf message;
    buf_init(&message, TEXT_MAX);
    random_bytes(nonce, sizeof(nonce));
    (void)buf_append(&scram->bare, SPAN("n="));
    for (size_t i = 0; i < scram->user.len; i++) {
        uint8_t byte = scram->user.at[i];
        if (byte == ',' || byte == '=')
            (void)buf_append(&scram->bare, byte == ',' ? SPAN("=2C") : SPAN("=3D"));
        else
            (void)buf_append_byte(&scram->bare, byte);
    }
    (void)buf_append(&scram->bare, SPAN(",r="));
    int result = base64_encode(span_of(nonce, sizeof(nonce)), &scram->bare);
    (void)buf_append(&message, SPAN("n,,"));
    (void)buf_append(&message, buf_span(&scram->bare));
    return result < 0 ? result : base64_encode(buf_span(&message), answer);
}

static bool take_attribute(span_t *rest, span_t name, span_t *ret_value)
{
    span_t piece;
    if (!span_cut(rest, ',', &piece) || !span_starts(piece, name))
        return false;
    *ret_value = span_from(piece, name.len);
    return true;
}

/* What is left when everything is in place: the proof, and what the server must answer. */
static int prove(struct scram *scram, span_t without_proof, struct buf *message)
{
    uint8_t signature[SCRAM_KEY_SIZE];
    AUTO_BUF struct buf auth;
    buf_init(&auth, 4 * TEXT_MAX);
    (void)buf_append(&auth, buf_span(&scram->bare));
    (void)buf_append_byte(&auth, ',');
    (void)buf_append(&auth, buf_span(&scram->first));
    (void)buf_append_byte(&auth, ',');
    (void)buf_append(&auth, without_proof);
    int result = buf_fault(&auth);
    if (result == 0)
        result = scram_server_signature(scram->keys.stored, buf_span(&auth), signature); /* HMAC in both cases */
    if (result == 0)
        result = scram_server_signature(scram->keys.server, buf_span(&auth), scram->server_signature);
    for (size_t i = 0; i < sizeof(signature); i++)
        signature[i] ^= scram->keys.client[i];
    (void)buf_append(message, without_proof);
    (void)buf_append(message, SPAN(",p="));
    return result < 0 ? result : base64_encode(span_of(signature, sizeof(signature)), message);
}

static int say_final(struct scram *scram, struct buf *answer)
{
    span_t rest = buf_span(&scram->first);
    span_t nonce;
    span_t salt_text;
    span_t count_text;
    uint64_t count = 0;
    AUTO_BUF struct buf salt;
    AUTO_BUF struct buf without_proof;
    AUTO_BUF struct buf message;
    buf_init(&salt, TEXT_MAX);
    buf_init(&without_proof, TEXT_MAX);
    buf_init(&message, TEXT_MAX);
    span_t own = span_from(buf_span(&scram->bare), span_find(buf_span(&scram->bare), SPAN(",r=")) + 3);
    if (!take_attribute(&rest, SPAN("r="), &nonce) || !take_attribute(&rest, SPAN("s="), &salt_text) ||
        !take_attribute(&rest, SPAN("i="), &count_text) || !span_starts(nonce, own) || nonce.len == own.len ||
        span_to_u64(count_text, ITERATIONS_MAX, &count) < 0 || count == 0 || base64_decode(salt_text, &salt) < 0)
        return -EPROTO;
    int result = scram_keys_derive(scram->password, buf_span(&salt), (uint32_t)count, &scram->keys);
    (void)buf_append(&without_proof, SPAN("c=biws,r="));
    (void)buf_append(&without_proof, nonce);
    if (result == 0)
        result = prove(scram, buf_span(&without_proof), &message);
    return result != 0 ? -EPROTO : base64_encode(buf_span(&message), answer);
}

/* The server must know the keys, too (RFC 5802 §3, ServerSignature). */
static int hear_final(struct scram *scram, span_t message)
{
    span_t text;
    AUTO_BUF struct buf signature;
    buf_init(&signature, TEXT_MAX);
    if (!take_attribute(&message, SPAN("v="), &text) || base64_decode(text, &signature) < 0)
        return -EPROTO;
    scram->is_verified =
        secret_equal(buf_span(&signature), span_of(scram->server_signature, sizeof(scram->server_signature)));
    return scram->is_verified ? 0 : -EPROTO;
}

static int scram_next(void *arg, span_t challenge, struct buf *answer)
{
    struct scram *scram = arg;
    AUTO_BUF struct buf message;
    buf_init(&message, TEXT_MAX);
    int result = base64_decode(span_trim(challenge), &message);
    if (result < 0)
        return result;
    switch (scram->step++) {
    case 0:
        return say_first(scram, answer);
    case 1:
        result = buf_append(&scram->first, buf_span(&message));
        return result < 0 ? result : say_final(scram, answer);
    case 2:
        return hear_final(scram, buf_span(&message));
    default:
        return -EPROTO;
    }
}

static int login_scram(struct imap_connection *connection, span_t user, span_t password)
{
    struct imap_response response;
    struct scram scram = {.user = user, .password = password};
    buf_init(&scram.bare, TEXT_MAX);
    buf_init(&scram.first, TEXT_MAX);
    int result = imap_do_asked(connection, SPAN("AUTHENTICATE SCRAM-SHA-256"), scram_next, &scram, &response);
    if (result == 0 && !is_ok(&response))
        result = say_refused(&response);
    else if (result == 0 && !scram.is_verified)
        result = terminal_fail("the other server cannot prove that it knows the password");
    explicit_bzero(&scram.keys, sizeof(scram.keys));
    buf_deinit(&scram.bare);
    buf_deinit(&scram.first);
    return result;
}

/* --- PLAIN and LOGIN --- */

struct plain {
    span_t user;
    span_t password;
};

static int plain_next(void *arg, span_t challenge, struct buf *answer)
{
    const struct plain *plain = arg;
    AUTO_BUF struct buf message;
    buf_init(&message, TEXT_MAX);
    if (challenge.len > 0)
        return -EPROTO;
    (void)buf_append_byte(&message, '\0');
    (void)buf_append(&message, plain->user);
    (void)buf_append_byte(&message, '\0');
    (void)buf_append(&message, plain->password);
    int result = buf_fault(&message);
    if (result == 0)
        result = base64_encode(buf_span(&message), answer);
    if (message.bytes != NULL)
        explicit_bzero(message.bytes, message.room);
    return result;
}

static void add_quoted(struct buf *line, span_t text)
{
    (void)buf_append(line, SPAN(" \""));
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            (void)buf_append_byte(line, '\\');
        (void)buf_append_byte(line, text.at[i]);
    }
    (void)buf_append_byte(line, '"');
}

static int login_clear(struct imap_connection *connection, span_t user, span_t password)
{
    struct imap_response response;
    struct plain plain = {user, password};
    AUTO_BUF struct buf line;
    buf_init(&line, TEXT_MAX);
    int result = 0;
    if (imap_can(connection, SPAN("AUTH=PLAIN"))) {
        result = imap_do_asked(connection, SPAN("AUTHENTICATE PLAIN"), plain_next, &plain, &response);
    } else if (imap_can(connection, SPAN("LOGINDISABLED"))) {
        return terminal_fail("the other server offers no way to log in that is known here");
    } else {
        (void)buf_append(&line, SPAN("LOGIN"));
        add_quoted(&line, user);
        add_quoted(&line, password);
        result = imap_do(connection, buf_span(&line), NULL, NULL, &response);
        if (line.bytes != NULL)
            explicit_bzero(line.bytes, line.room);
    }
    return result == 0 && !is_ok(&response) ? say_refused(&response) : result;
}

int imap_login(struct imap_connection *connection, span_t user, span_t password)
{
    if (imap_can(connection, SPAN("AUTH=SCRAM-SHA-256")))
        return login_scram(connection, user, password);
    return login_clear(connection, user, password);
}
