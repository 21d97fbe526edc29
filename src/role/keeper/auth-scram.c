#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/kdf.h"
#include "role/keeper/auth.h"
#include "role/keeper/credential.h"
#include "rt/task.h"

#define MESSAGE_MAX 8192U

_Static_assert(PASSWORD_SALT_SIZE == SCRAM_SALT_SIZE, "an account's salt serves both ways of using an app password");

void auth_exchange_free(struct auth_exchange *exchange)
{
    if (exchange == NULL)
        return;
    buf_deinit(&exchange->user);
    buf_deinit(&exchange->client);
    buf_deinit(&exchange->bare);
    buf_deinit(&exchange->gs2_header);
    buf_deinit(&exchange->binding);
    buf_deinit(&exchange->server_first);
    buf_deinit(&exchange->prelude);
    scope_free(&exchange);
}

static int exchange_new(struct auth_exchange **ret_exchange)
{
    struct auth_exchange *exchange = mem_new(sizeof(*exchange));
    if (exchange == NULL)
        return -ENOMEM;
    buf_init(&exchange->user, MESSAGE_MAX);
    buf_init(&exchange->client, MESSAGE_MAX);
    buf_init(&exchange->bare, MESSAGE_MAX);
    buf_init(&exchange->gs2_header, MESSAGE_MAX);
    buf_init(&exchange->binding, MESSAGE_MAX);
    buf_init(&exchange->server_first, MESSAGE_MAX);
    buf_init(&exchange->prelude, MESSAGE_MAX);
    *ret_exchange = exchange;
    return 0;
}

/*
 * RFC 5802 §6: with -PLUS the channel must be bound, in the way this connection can; without, it must not be, and a
 * client that believes we cannot bind ("y") though we offered it was lied to by somebody in between.
 */
static bool binding_is_right(const struct auth_scram *scram, const struct scram_first *first)
{
    if (scram->plus)
        return first->binding == SCRAM_BINDING_USED && scram->binding_type.len > 0 &&
               span_equal(first->binding_type, scram->binding_type);
    if (first->binding == SCRAM_BINDING_USED)
        return false;
    return first->binding == SCRAM_BINDING_UNSUPPORTED || scram->binding_type.len == 0;
}

/* The salt of an unknown user is always the same one, as a known user's is. */
static int salt_of(const struct auth *auth, const struct auth_exchange *exchange, uint8_t salt[SCRAM_SALT_SIZE])
{
    if (exchange->known) {
        memcpy(salt, exchange->account.scram_salt, SCRAM_SALT_SIZE);
        return 0;
    }
    return kdf_hkdf(span_of(auth->fake_key, sizeof(auth->fake_key)), buf_span(&exchange->user),
                    SPAN("waxwing scram salt 1"), salt, SCRAM_SALT_SIZE);
}

static int server_first_write(const struct auth *auth, struct auth_exchange *exchange, span_t client_nonce)
{
    uint8_t nonce[SCRAM_NONCE_LEN / 4 * 3];
    uint8_t salt[SCRAM_SALT_SIZE];
    random_bytes(nonce, sizeof(nonce));
    int result = salt_of(auth, exchange, salt);
    buf_append(&exchange->server_first, SPAN("r="));
    buf_append(&exchange->server_first, client_nonce);
    if (result == 0)
        result = base64_encode(span_of(nonce, sizeof(nonce)), &exchange->server_first);
    buf_append(&exchange->server_first, SPAN(",s="));
    if (result == 0)
        result = base64_encode(span_of(salt, sizeof(salt)), &exchange->server_first);
    buf_append_format(&exchange->server_first, ",i=%u", SCRAM_ITERATIONS);
    return result == 0 ? buf_fault(&exchange->server_first) : result;
}

static int exchange_fill(struct auth *auth, const struct auth_scram *scram, const struct scram_first *first,
                         struct auth_exchange *exchange)
{
    AUTO_BUF struct buf user = {0};
    buf_init(&user, SASL_NAME_MAX);
    int result = scram_name_unquote(first->user_quoted, &user);
    if (result == 0)
        result = auth_find(auth, buf_span(&user), &exchange->account, &exchange->user);
    if (result < 0)
        return result;
    exchange->known = result == DIRECTORY_OK;
    exchange->bound = first->binding == SCRAM_BINDING_USED;
    exchange->service = scram->service;
    const struct {
        struct buf *to;
        span_t from;
    } copies[] = {
        {&exchange->client, scram->client},         {&exchange->bare, first->bare},
        {&exchange->gs2_header, first->gs2_header}, {&exchange->binding, exchange->bound ? scram->binding : SPAN_NONE},
        {&exchange->prelude, scram->prelude},
    };
    for (size_t at = 0; at < COUNT_OF(copies); at++) {
        result = buf_append(copies[at].to, copies[at].from);
        if (result != 0)
            return result;
    }
    return server_first_write(auth, exchange, first->nonce);
}

static void exchanges_expire(struct auth *auth, int64_t now)
{
    struct list_link *link = NULL;
    while ((link = list_first(&auth->exchanges)) != NULL) {
        struct auth_exchange *oldest = LIST_ITEM(link, struct auth_exchange, link);
        if (oldest->until > now && auth->exchange_count < AUTH_EXCHANGES_MAX)
            return;
        list_remove(link);
        auth->exchange_count--;
        auth_exchange_free(oldest);
    }
}

int auth_scram_start(struct auth *auth, int64_t now, const struct auth_scram *scram,
                     const struct auth_exchange **ret_exchange)
{
    struct scram_first first;
    int result = scram_first_parse(scram->first, &first);
    if (result < 0)
        return result;
    if (result != SASL_OK || !binding_is_right(scram, &first))
        return LOGIN_DENIED;
    AUTO(auth_exchange) struct auth_exchange *exchange = NULL;
    result = exchange_new(&exchange);
    if (result == 0)
        result = exchange_fill(auth, scram, &first, exchange);
    if (result != 0)
        return result;
    exchanges_expire(auth, now);
    random_bytes(&exchange->handle, sizeof(exchange->handle));
    exchange->until = now + AUTH_EXCHANGE_TIMEOUT;
    auth->exchange_count++;
    list_push(&auth->exchanges, &exchange->link);
    *ret_exchange = TAKE(exchange);
    return LOGIN_OK;
}

struct auth_exchange *auth_scram_take(struct auth *auth, int64_t now, uint64_t handle)
{
    exchanges_expire(auth, now);
    for (struct list_link *link = list_first(&auth->exchanges); link != NULL;
         link = list_after(&auth->exchanges, link)) {
        struct auth_exchange *exchange = LIST_ITEM(link, struct auth_exchange, link);
        if (exchange->handle == handle) {
            list_remove(link);
            auth->exchange_count--;
            return exchange;
        }
    }
    return NULL;
}

/* --- the answer --- */

struct proving {
    const struct scram_final *final;
    span_t auth_message;
    struct credential *found;
    struct secret **root;
};

/* Ends the walk with 1 where the proof fits. */
static int try_proof(void *arg, const struct credential *credential)
{
    struct proving *proving = arg;
    uint8_t client_key[SCRAM_KEY_SIZE];
    int result = scram_proof_open(proving->final->proof, credential->stored_key, proving->auth_message, client_key);
    if (result != SASL_OK)
        return result < 0 ? result : 0;
    result = credential_open_scram(credential, client_key, proving->root);
    secret_wipe(client_key, sizeof(client_key));
    if (result != 0)
        return result < 0 ? result : 0;
    *proving->found = *credential;
    return 1;
}

/* The nonce must be all of ours, and the channel the one it was bound to (RFC 5802 §5.1). */
static int final_is_right(const struct auth_exchange *exchange, const struct scram_final *final)
{
    span_t rest = span_from(buf_span(&exchange->server_first), 2);
    span_t nonce;
    if (!span_cut(&rest, ',', &nonce) || !span_equal(nonce, final->nonce))
        return SASL_REFUSED;
    return scram_binding_check(final->binding, buf_span(&exchange->gs2_header), buf_span(&exchange->binding));
}

static int server_final_write(const struct credential *credential, span_t auth_message, struct buf *server_final)
{
    uint8_t signature[SCRAM_KEY_SIZE];
    int result = scram_server_signature(credential->server_key, auth_message, signature);
    if (result != 0)
        return result;
    buf_append(server_final, SPAN("v="));
    return base64_encode(span_of(signature, sizeof(signature)), server_final);
}

static int check_final(struct auth *auth, const struct auth_exchange *exchange, span_t client_final,
                       struct credential *credential, struct buf *server_final, struct secret **ret_root)
{
    struct scram_final final;
    AUTO_BUF struct buf auth_message = {0};
    buf_init(&auth_message, (size_t)4 * MESSAGE_MAX);
    int result = scram_final_parse(client_final, &final);
    if (result == SASL_OK)
        result = final_is_right(exchange, &final);
    if (result != SASL_OK)
        return result < 0 ? result : (int)LOGIN_DENIED;
    buf_append(&auth_message, buf_span(&exchange->bare));
    buf_append_byte(&auth_message, ',');
    buf_append(&auth_message, buf_span(&exchange->server_first));
    buf_append_byte(&auth_message, ',');
    buf_append(&auth_message, final.without_proof);
    result = buf_fault(&auth_message);
    if (result != 0)
        return result;
    if (!exchange->known)
        return LOGIN_DENIED;
    struct proving proving = {&final, buf_span(&auth_message), credential, ret_root};
    result = directory_credential_each(auth->directory, exchange->account.id, CREDENTIAL_APP, 0, try_proof, &proving);
    if (result != 1)
        return result < 0 ? result : (int)LOGIN_DENIED;
    result = server_final_write(credential, buf_span(&auth_message), server_final);
    return result == 0 ? auth_judge(&exchange->account, credential, exchange->service) : result;
}

int auth_scram_finish(struct task *task, struct auth *auth, const struct auth_exchange *exchange, span_t client_final,
                      struct buf *server_final, struct auth_opened *ret_opened)
{
    struct credential credential = {0};
    AUTO(secret) struct secret *root = NULL;
    int result = auth_wait(task, auth, buf_span(&exchange->user), buf_span(&exchange->client));
    if (result == LOGIN_OK)
        result = check_final(auth, exchange, client_final, &credential, server_final, &root);
    const struct auth_attempt counted = {exchange->service, buf_span(&exchange->client), buf_span(&exchange->user),
                                         SPAN_NONE};
    result = auth_settle(task, auth, &counted, &credential, result);
    if (result == LOGIN_OK) {
        ret_opened->account = exchange->account;
        ret_opened->root = TAKE(root);
        return LOGIN_OK;
    }
    buf_clear(server_final);
    int fault = buf_append_text(server_final, result == LOGIN_DENIED ? "e=invalid-proof" : "e=other-error");
    return fault < 0 ? fault : result;
}
