#include "role/keeper/auth.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "crypto/kdf.h"
#include "crypto/token.h"
#include "role/keeper/credential.h"
#include "role/keeper/passphrase.h"
#include "rt/task.h"

#define USED_EVERY 3600U /* how often the time of a credential's last use is written, in seconds */

void auth_init(struct auth *auth, struct directory *directory, struct hasher *hasher, struct throttle *throttle)
{
    *auth = (struct auth){.directory = directory, .hasher = hasher, .throttle = throttle};
    list_init(&auth->exchanges);
    random_bytes(auth->fake_key, sizeof(auth->fake_key));
}

void auth_deinit(struct auth *auth)
{
    struct list_link *link = NULL;
    while ((link = list_pop(&auth->exchanges)) != NULL)
        auth_exchange_free(LIST_ITEM(link, struct auth_exchange, link));
    secret_wipe(auth->fake_key, sizeof(auth->fake_key));
}

int auth_find(struct auth *auth, span_t user, struct account *ret_account, struct buf *key)
{
    struct name name;
    int result = name_parse(user, &name);
    if (result < 0)
        return result;
    if (result == NAME_OK)
        result = directory_account_find(auth->directory, &name, ret_account);
    else
        result = DIRECTORY_NONE;
    if (result < 0)
        return result;
    int fault = 0;
    if (result == DIRECTORY_OK)
        fault = buf_append_text(key, ret_account->address); /* the same behind all its addresses */
    else
        fault = buf_append(key, user);
    return fault < 0 ? fault : result;
}

int auth_wait(struct task *task, struct auth *auth, span_t user_key, span_t client)
{
    int64_t wait = 0;
    if (throttle_ask(auth->throttle, loop_now(task_loop(task)), user_key, client, &wait) == THROTTLE_REFUSE)
        return LOGIN_UNAVAILABLE;
    return wait > 0 ? task_sleep(task, wait) : LOGIN_OK;
}

int auth_settle(struct task *task, struct auth *auth, const struct auth_attempt *attempt,
                const struct credential *credential, int outcome)
{
    if (outcome < 0 || outcome == LOGIN_UNAVAILABLE)
        return outcome;
    enum throttle_event event = outcome == LOGIN_DENIED ? THROTTLE_FAILED : THROTTLE_SUCCEEDED;
    int result = throttle_tell(auth->throttle, loop_now(task_loop(task)), attempt->user, attempt->client,
                               attempt->password, event);
    uint64_t now = (uint64_t)time(NULL);
    if (result == 0 && outcome == LOGIN_OK && credential->used + USED_EVERY < now)
        result = directory_credential_used(auth->directory, credential->id, now);
    if (result != 0)
        log_warn("keeper.login.uncounted", F_FAULT(result)); /* a full disk locks nobody out */
    return outcome;
}

int auth_judge(const struct account *account, const struct credential *credential, enum ipc_service service)
{
    static const uint32_t scopes[SERVICE_COUNT] = {
        [SERVICE_SMTP] = SCOPE_SMTP,     [SERVICE_SUBMISSION] = SCOPE_SMTP, [SERVICE_SUBMISSION_TLS] = SCOPE_SMTP,
        [SERVICE_IMAP] = SCOPE_IMAP,     [SERVICE_IMAP_TLS] = SCOPE_IMAP,   [SERVICE_POP3] = SCOPE_POP3,
        [SERVICE_POP3_TLS] = SCOPE_POP3,
    };
    if (account->state == ACCOUNT_LOCKED)
        return LOGIN_LOCKED;
    if ((unsigned)service >= SERVICE_COUNT || (credential->scope & scopes[service]) == 0)
        return LOGIN_SCOPE;
    return LOGIN_OK;
}

/* --- app passwords --- */

struct trying {
    struct credential_token token;
    struct credential *found;
    struct secret **root;
};

/* Ends the walk with 1 where one fits. */
static int try_app_password(void *arg, const struct credential *credential)
{
    struct trying *trying = arg;
    int result = credential_open_token(credential, &trying->token, trying->root);
    if (result < 0)
        return result;
    if (result == CREDENTIAL_WRONG)
        return 0;
    *trying->found = *credential;
    return 1;
}

/* CREDENTIAL_FITS, CREDENTIAL_WRONG or a fault. */
static int open_app_password(struct auth *auth, const struct account *account, span_t password,
                             struct credential *ret_found, struct secret **ret_root)
{
    struct trying trying = {.found = ret_found, .root = ret_root};
    int result = credential_token_init(&trying.token, password, account->scram_salt);
    if (result != 0)
        return result;
    result = directory_credential_each(auth->directory, account->id, CREDENTIAL_APP, 0, try_app_password, &trying);
    credential_token_deinit(&trying.token);
    if (result < 0)
        return result;
    return result == 1 ? CREDENTIAL_FITS : CREDENTIAL_WRONG;
}

/* --- chosen passwords --- */

/* LOGIN_OK or LOGIN_UNAVAILABLE or a fault. */
static int hash_within_limits(struct task *task, struct auth *auth, const struct password_params *params,
                              span_t password, struct secret **ret_hash)
{
    AUTO(secret) struct secret *prepared = NULL;
    int result = passphrase_prepare(password, &prepared);
    if (result == 0)
        result = hasher_run(task, auth->hasher, params, secret_span(prepared), ret_hash);
    if (result == 0 || result == -ECANCELED)
        return result;
    log_warn("keeper.hasher.unavailable", F_FAULT(result));
    return LOGIN_UNAVAILABLE;
}

static uint64_t cost_of(const struct password_params *params)
{
    return (uint64_t)params->memory_kib * params->passes;
}

/* Hashes the password at today's cost: now alone it is known. A login does not fail for it: there will be another. */
static void harden(struct task *task, struct auth *auth, const struct credential *old, span_t password,
                   const struct secret *root)
{
    struct credential credential = *old;
    AUTO(secret) struct secret *hash = NULL;
    credential.params = auth->defaults;
    random_bytes(credential.params.salt, sizeof(credential.params.salt));
    int result = hash_within_limits(task, auth, &credential.params, password, &hash);
    if (result != LOGIN_OK)
        return;
    result = credential_make_password(&credential, hash, root);
    if (result == 0)
        result = directory_credential_rehash(auth->directory, &credential);
    if (result < 0)
        log_warn("keeper.password.unhardened", F_FAULT(result));
}

int auth_chosen_password(struct task *task, struct auth *auth, const struct account *account, span_t password,
                         struct secret **ret_root)
{
    struct credential credential = {0};
    AUTO(secret) struct secret *hash = NULL;
    int found = DIRECTORY_NONE;
    if (account != NULL)
        found = directory_credential_get(auth->directory, account->id, CREDENTIAL_PASSWORD, &credential);
    if (found < 0)
        return found;
    if (found != DIRECTORY_OK)
        credential.params = auth->defaults; /* a stranger's guess costs what a user's does */
    int result = hash_within_limits(task, auth, &credential.params, password, &hash);
    if (result != LOGIN_OK)
        return result;
    if (found != DIRECTORY_OK)
        return LOGIN_DENIED;
    result = credential_open_password(&credential, hash, ret_root);
    if (result < 0)
        return result;
    if (result != CREDENTIAL_FITS)
        return LOGIN_DENIED;
    if (cost_of(&auth->defaults) > cost_of(&credential.params))
        harden(task, auth, &credential, password, *ret_root);
    return LOGIN_OK;
}

/* --- both --- */

static int check_password(struct task *task, struct auth *auth, const struct auth_attempt *attempt,
                          const struct account *account, struct credential *credential, struct secret **ret_root)
{
    if (account != NULL && app_password_shaped(attempt->password)) {
        int result = open_app_password(auth, account, attempt->password, credential, ret_root);
        if (result < 0)
            return result;
        if (result == CREDENTIAL_FITS)
            return auth_judge(account, credential, attempt->service);
    }
    int result = auth_chosen_password(task, auth, account, attempt->password, ret_root);
    if (result != LOGIN_OK)
        return result;
    credential->scope = SCOPE_ALL;
    credential->used = UINT64_MAX - USED_EVERY; /* nobody asks when a chosen password was used last */
    return auth_judge(account, credential, attempt->service);
}

int auth_owner(struct task *task, struct auth *auth, const struct account *account, const struct auth_attempt *attempt,
               struct secret **ret_root)
{
    struct credential credential = {0};
    return check_password(task, auth, attempt, account, &credential, ret_root);
}

int auth_password(struct task *task, struct auth *auth, const struct auth_attempt *attempt,
                  struct auth_opened *ret_opened)
{
    struct auth_opened opened = {0};
    struct credential credential = {0};
    AUTO(secret) struct secret *root = NULL;
    AUTO_BUF struct buf key = {0};
    buf_init(&key, 2048);
    int found = auth_find(auth, attempt->user, &opened.account, &key);
    if (found < 0)
        return found;
    int result = auth_wait(task, auth, buf_span(&key), attempt->client);
    if (result != LOGIN_OK)
        return result;
    const struct account *account = found == DIRECTORY_OK ? &opened.account : NULL;
    result = check_password(task, auth, attempt, account, &credential, &root);
    struct auth_attempt counted = *attempt;
    counted.user = buf_span(&key);
    result = auth_settle(task, auth, &counted, &credential, result);
    if (result != LOGIN_OK)
        return result;
    opened.root = TAKE(root);
    *ret_opened = opened;
    return LOGIN_OK;
}
