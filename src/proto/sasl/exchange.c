#include "proto/sasl/exchange.h"

#include "base/base64.h"
#include "crypto/secret.h"

#define CHALLENGE_MAX 4096U

void sasl_exchange_init(struct sasl_exchange *exchange)
{
    exchange->mechanism = SASL_PLAIN;
    exchange->state = SASL_OVER;
    buf_init(&exchange->user, SASL_NAME_MAX);
    buf_init(&exchange->password, SASL_NAME_MAX);
    buf_init(&exchange->message, SASL_RESPONSE_MAX);
    buf_init(&exchange->challenge, CHALLENGE_MAX);
}

static void buf_wipe(struct buf *buf)
{
    if (buf->bytes != NULL)
        secret_wipe(buf->bytes, buf->room);
    buf_deinit(buf);
}

void sasl_exchange_deinit(struct sasl_exchange *exchange)
{
    buf_wipe(&exchange->user);
    buf_wipe(&exchange->password);
    buf_wipe(&exchange->message);
    buf_wipe(&exchange->challenge);
    exchange->state = SASL_OVER;
}

static enum sasl_step ask(struct sasl_exchange *exchange, const char *challenge)
{
    buf_clear(&exchange->challenge);
    return buf_append_text(&exchange->challenge, challenge) < 0 ? SASL_STEP_MALFORMED : SASL_STEP_CHALLENGE;
}

/* RFC 4616 */
static enum sasl_step take_plain(struct sasl_exchange *exchange)
{
    struct sasl_plain plain;
    exchange->state = SASL_OVER;
    if (sasl_plain_parse(buf_span(&exchange->message), &plain) != SASL_OK)
        return SASL_STEP_MALFORMED;
    if (buf_append(&exchange->user, plain.user) < 0 || buf_append(&exchange->password, plain.password) < 0)
        return SASL_STEP_MALFORMED;
    return SASL_STEP_LOGIN;
}

static enum sasl_step take_login(struct sasl_exchange *exchange)
{
    bool is_user = exchange->state == SASL_WANT_FIRST;
    struct buf *part = is_user ? &exchange->user : &exchange->password;
    if (buf_len(&exchange->message) == 0 || buf_append(part, buf_span(&exchange->message)) < 0)
        return SASL_STEP_MALFORMED;
    exchange->state = is_user ? SASL_WANT_PASSWORD : SASL_OVER;
    return is_user ? ask(exchange, SASL_LOGIN_ASK_PASSWORD) : SASL_STEP_LOGIN;
}

static enum sasl_step take_scram(struct sasl_exchange *exchange)
{
    if (exchange->state == SASL_WANT_FIRST) {
        exchange->state = SASL_WANT_FINAL;
        return SASL_STEP_SCRAM_START;
    }
    if (exchange->state == SASL_WANT_FINAL) {
        exchange->state = SASL_WANT_NOTHING;
        return SASL_STEP_SCRAM_FINISH;
    }
    exchange->state = SASL_OVER;
    return buf_len(&exchange->message) == 0 ? SASL_STEP_SCRAM_END : SASL_STEP_MALFORMED;
}

typedef enum sasl_step mechanism_step(struct sasl_exchange *exchange);

static const struct mechanism {
    const char *prompt; /* where the client gave no initial response */
    mechanism_step *take;
} mechanisms[SASL_MECHANISM_COUNT] = {
    [SASL_PLAIN] = {"", take_plain},
    [SASL_LOGIN] = {SASL_LOGIN_ASK_USER, take_login},
    [SASL_SCRAM_SHA_256] = {"", take_scram},
    [SASL_SCRAM_SHA_256_PLUS] = {"", take_scram},
};

enum sasl_step sasl_exchange_start(struct sasl_exchange *exchange, enum sasl_mechanism mechanism, span_t initial)
{
    sasl_exchange_deinit(exchange);
    exchange->mechanism = mechanism;
    exchange->state = SASL_WANT_FIRST;
    if (initial.at == NULL)
        return ask(exchange, mechanisms[mechanism].prompt);
    return sasl_exchange_feed(exchange, span_equal(initial, SPAN("=")) ? SPAN("") : initial);
}

enum sasl_step sasl_exchange_feed(struct sasl_exchange *exchange, span_t line)
{
    if (exchange->state == SASL_OVER)
        return SASL_STEP_MALFORMED;
    buf_clear(&exchange->message);
    int result = sasl_line_decode(line, &exchange->message);
    if (result != SASL_OK) {
        exchange->state = SASL_OVER;
        return result == SASL_CANCELLED ? SASL_STEP_CANCELLED : SASL_STEP_MALFORMED;
    }
    return mechanisms[exchange->mechanism].take(exchange);
}

enum sasl_step sasl_exchange_answer(struct sasl_exchange *exchange, span_t message)
{
    buf_clear(&exchange->challenge);
    return base64_encode(message, &exchange->challenge) < 0 ? SASL_STEP_MALFORMED : SASL_STEP_CHALLENGE;
}
