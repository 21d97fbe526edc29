#include <errno.h>
#include <string.h>
#include <time.h>

#include "crypto/kdf.h"
#include "crypto/token.h"
#include "role/keeper/admin-state.h"
#include "role/keeper/credential.h"

static struct directory *directory_of(const struct admin_command *command)
{
    return command->admin->auth->directory;
}

/* --- add --- */

struct adding {
    struct name name;
    struct account account;
    struct secret *root;
    struct secret *hash;
    struct secret *code;
    struct credential password;
};

/* The account, its password and its recovery code, or none of them: the credentials are bound to the number that the
 * account gets here. */
static int add_all(struct admin_command *command, struct adding *adding)
{
    struct credential recovery;
    int result = directory_begin(directory_of(command));
    if (result == 0)
        result = directory_account_add(directory_of(command), &adding->name, &adding->account);
    if (result != 0)
        return result;
    adding->password.account = adding->account.id;
    result = credential_make_password(&adding->password, adding->hash, adding->root);
    if (result == 0)
        result = directory_credential_add(directory_of(command), &adding->password);
    if (result == 0)
        result = admin_make_recovery(&adding->account, adding->root, &recovery, &adding->code);
    if (result == 0)
        result = directory_credential_add(directory_of(command), &recovery);
    return result == 0 ? directory_commit(directory_of(command)) : result;
}

/* 1 where it may be added; told before the password is hashed. */
static int add_check(struct admin_command *command, struct adding *adding)
{
    int result = admin_name_of(command, command->words[0], &adding->name);
    if (result != 1)
        return result;
    if (adding->name.local[0] == '\0')
        return admin_misused(command,
                             "an account needs a name before the @; for a catch-all use `waxwing address add`");
    result = command->quota.at == NULL ? 1 : admin_size_of(command, command->quota, &adding->account.quota);
    if (result != 1)
        return result;
    result = directory_domain_exists(directory_of(command), adding->name.domain);
    if (result == DIRECTORY_NONE)
        return admin_refuse(command, "%s is not a domain of this server; first run `waxwing domain add %s`",
                            adding->name.domain, adding->name.domain);
    if (result != DIRECTORY_OK)
        return result;
    result = directory_address_exists(directory_of(command), &adding->name);
    if (result == DIRECTORY_OK)
        return admin_refuse(command, "%s@%s is taken already; see `waxwing account list` and `waxwing address list`",
                            adding->name.local, adding->name.domain);
    if (result != DIRECTORY_NONE)
        return result;
    int forwards = directory_forward_count(directory_of(command), &adding->name);
    if (forwards > 0)
        return admin_refuse(command, "mail for %s@%s is sent on elsewhere; first: waxwing forward remove %s@%s",
                            adding->name.local, adding->name.domain, adding->name.local, adding->name.domain);
    return forwards < 0 ? forwards : 1;
}

static int add_prepare(struct admin_command *command, struct adding *adding)
{
    AUTO(secret) struct secret *private = NULL;
    span_t password;
    int result = add_check(command, adding);
    if (result != 1)
        return result;
    if (!admin_next_line(command, &password))
        return admin_misused(command, "no password was given; write it to standard input and use --password-stdin");
    result = admin_make_password(command, 0, password, &adding->hash, &adding->password);
    if (result != 1)
        return result;
    adding->account.created = (uint64_t)time(NULL);
    random_bytes(adding->account.scram_salt, sizeof(adding->account.scram_salt));
    result = secret_new_random(WRAP_SECRET_SIZE, &adding->root);
    if (result == 0)
        result = kdf_sealing_pair(adding->root, adding->account.public_key, &private);
    return result == 0 ? 1 : result;
}

int admin_account_add(struct admin_command *command)
{
    struct adding adding = {0};
    int result = add_prepare(command, &adding);
    if (result == 1) {
        result = add_all(command, &adding);
        if (result == 0)
            buf_append_format(&command->reply->output, "recovery code: %.*s\n", SPAN_PRINT(secret_span(adding.code)));
        else if (result > 0)
            result = admin_refuse(command, "%.*s is taken already; see `waxwing account list`",
                                  SPAN_PRINT(command->words[0]));
    }
    secret_free(adding.root);
    secret_free(adding.hash);
    secret_free(adding.code);
    return result;
}

/* --- list, remove, lock --- */

static void limit_write(struct buf *output, const char *before, uint64_t limit, const char *without)
{
    buf_append_text(output, before);
    if (limit == SPENDING_DEFAULT)
        buf_append_text(output, without);
    else
        buf_append_format(output, "%llu", (unsigned long long)limit);
}

static int account_row(void *arg, const struct account *account)
{
    struct admin_command *command = arg;
    struct buf *output = &command->reply->output;
    const char *state = account->state == ACCOUNT_LOCKED ? "locked" : "active";
    const char *key = account->address;
    admin_list_row(command);
    if (command->json) {
        buf_append_text(output, "{\"address\":");
        admin_write_json(output, account->address);
        buf_append_format(output, ",\"id\":%llu,\"state\":\"%s\",\"quota\":%llu,\"created\":%llu",
                          (unsigned long long)account->id, state, (unsigned long long)account->quota,
                          (unsigned long long)account->created);
        limit_write(output, ",\"recipients_per_hour\":", account->limits.per_hour[SPENDING_RECIPIENTS], "null");
        limit_write(output, ",\"messages_per_hour\":", account->limits.per_hour[SPENDING_MESSAGES], "null");
        buf_append_byte(output, '}');
    } else {
        buf_append_format(output, "%s\t%s\t%llu", account->address, state, (unsigned long long)account->quota);
        limit_write(output, "\t", account->limits.per_hour[SPENDING_RECIPIENTS], "default");
        limit_write(output, "\t", account->limits.per_hour[SPENDING_MESSAGES], "default");
    }
    return admin_list_row_end(command, &key, 1);
}

int admin_account_list(struct admin_command *command)
{
    const char *after = NULL;
    admin_list_after(command, &after, 1);
    return admin_list_end(command, directory_account_each(directory_of(command), after, account_row, command));
}

int admin_account_remove(struct admin_command *command)
{
    struct account account;
    int result = admin_account_of(command, command->words[0], &account);
    if (result != 1)
        return result;
    result = directory_account_remove(directory_of(command), account.id);
    if (result == 0)
        admin_end_session(command, account.id, ADMIN_DESTROYED);
    return result < 0 ? result : 0;
}

static int set_state(struct admin_command *command, enum account_state state)
{
    struct account account;
    int result = admin_account_of(command, command->words[0], &account);
    if (result != 1)
        return result;
    result = directory_account_set_state(directory_of(command), account.id, state);
    if (result == 0 && state == ACCOUNT_LOCKED)
        admin_end_session(command, account.id, ADMIN_ENDED);
    return result < 0 ? result : 0;
}

int admin_account_lock(struct admin_command *command)
{
    return set_state(command, ACCOUNT_LOCKED);
}

int admin_account_unlock(struct admin_command *command)
{
    return set_state(command, ACCOUNT_ACTIVE);
}

/* --- passwd --- */

int admin_unlock_recovery(struct admin_command *command, const struct account *account, span_t text,
                          struct secret **ret_root)
{
    AUTO(secret) struct secret *code = NULL;
    struct credential credential;
    struct credential_token token = {0};
    int result = recovery_code_read(text, &code);
    if (result < 0)
        return result;
    if (result != RECOVERY_OK)
        return admin_refuse(command, "the recovery code is mistyped; it has six groups of six letters and digits");
    result = directory_credential_get(directory_of(command), account->id, CREDENTIAL_RECOVERY, &credential);
    if (result == DIRECTORY_NONE)
        return admin_refuse(command, "%s has no recovery code; use its password", account->address);
    if (result == 0)
        result = credential_token_init(&token, secret_span(code), credential.params.salt);
    if (result != 0)
        return result;
    result = credential_open_token(&credential, &token, ret_root);
    credential_token_deinit(&token);
    if (result == CREDENTIAL_WRONG)
        return admin_refuse(command, "that is not the recovery code of %s; an earlier one is void once it was used",
                            account->address);
    return result == CREDENTIAL_FITS ? 1 : result;
}

static int passwd_open(struct admin_command *command, const struct account *account, struct secret **ret_root)
{
    span_t line = command->recovery;
    if (line.len == 0 && !admin_next_line(command, &line))
        return admin_misused(command,
                             "write the old password and the new one to standard input, a line each; without the "
                             "old one or --recovery CODE the account's mail could never be read again");
    if (command->by_recovery)
        return admin_unlock_recovery(command, account, line, ret_root);
    return admin_unlock_root(command, account, line, ret_root);
}

/* Out with the old, in with the new, in one transaction. recovery may be NULL. */
static int passwd_store(struct directory *directory, uint64_t account, struct credential *password,
                        struct credential *recovery)
{
    int result = directory_begin(directory);
    if (result == 0)
        result = directory_credential_remove(directory, account, CREDENTIAL_PASSWORD, 0);
    if (result >= 0)
        result = directory_credential_add(directory, password);
    if (result == 0 && recovery != NULL) {
        result = directory_credential_remove(directory, account, CREDENTIAL_RECOVERY, 0);
        if (result >= 0)
            result = directory_credential_add(directory, recovery);
    }
    return result == 0 ? directory_commit(directory) : result;
}

int admin_account_passwd(struct admin_command *command)
{
    struct account account;
    struct credential password;
    struct credential recovery;
    span_t line;
    AUTO(secret) struct secret *root = NULL;
    AUTO(secret) struct secret *hash = NULL;
    AUTO(secret) struct secret *code = NULL;
    int result = admin_account_of(command, command->words[0], &account);
    if (result == 1)
        result = passwd_open(command, &account, &root);
    if (result != 1)
        return result;
    if (!admin_next_line(command, &line))
        return admin_misused(command, "no new password was given; write it to standard input, on a line of its own");
    result = admin_make_password(command, account.id, line, &hash, &password);
    if (result != 1)
        return result;
    result = credential_make_password(&password, hash, root);
    if (result == 0 && command->by_recovery)
        result = admin_make_recovery(&account, root, &recovery, &code);
    if (result == 0)
        result = passwd_store(directory_of(command), account.id, &password, command->by_recovery ? &recovery : NULL);
    if (result == 0)
        admin_end_session(command, account.id, ADMIN_ENDED);
    if (result == 0 && command->by_recovery)
        buf_append_format(&command->reply->output, "recovery code: %.*s\n", SPAN_PRINT(secret_span(code)));
    return result;
}
