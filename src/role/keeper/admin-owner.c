#include <errno.h>

#include "crypto/token.h"
#include "role/keeper/admin-state.h"

#define COMMAND_MAX 1024U

/* 1 and the root secret, or 0 and it is told. */
static int unlock(struct admin_command *command, const struct account *account, span_t line, struct secret **ret_root)
{
    AUTO(secret) struct secret *code = NULL;
    int result = recovery_code_read(line, &code);
    if (result < 0)
        return result;
    if (result == RECOVERY_OK)
        return admin_unlock_recovery(command, account, line, ret_root);
    const struct auth_attempt attempt = {.service = SERVICE_IMAP_TLS, .password = line};
    result = auth_owner(command->task, command->admin->auth, account, &attempt, ret_root);
    switch (result) {
    case LOGIN_OK:
        return 1;
    case LOGIN_DENIED:
        return admin_refuse(command, "that is neither a password nor the recovery code of %s", account->address);
    case LOGIN_SCOPE:
        return admin_refuse(command, "that app password of %s is not for reading mail", account->address);
    case LOGIN_UNAVAILABLE:
        return admin_refuse(command, "too many logins are being checked; try again in a moment");
    default:
        return result < 0 ? result : -EINVAL;
    }
}

/* Hands the command to the account's session, which only its owner's credential opens. */
static int hand_over(struct admin_command *command, span_t words)
{
    struct auth_opened opened = {0};
    span_t line;
    int result = admin_account_of(command, command->words[0], &opened.account);
    if (result != 1)
        return result;
    if (opened.account.state == ACCOUNT_LOCKED)
        return admin_refuse(command, "%s is locked; first: waxwing account unlock %s", opened.account.address,
                            opened.account.address);
    if (!admin_next_line(command, &line))
        return admin_misused(command, "write a password or the recovery code of %s to standard input",
                             opened.account.address);
    AUTO(secret) struct secret *root = NULL;
    result = unlock(command, &opened.account, line, &root);
    if (result != 1)
        return result;
    opened.root = root;
    return command->admin->open(command->admin->arg, command->task, &opened, words, &command->reply->fd);
}

int admin_owner_check(struct admin_command *command)
{
    AUTO_BUF struct buf words;
    buf_init(&words, COMMAND_MAX);
    buf_append(&words, SPAN("check\0"));
    if (command->quick)
        buf_append(&words, SPAN("--quick\0"));
    if (command->repair)
        buf_append(&words, SPAN("--repair\0"));
    if (command->json)
        buf_append(&words, SPAN("--json\0"));
    return hand_over(command, buf_span(&words));
}

int admin_owner_index(struct admin_command *command)
{
    AUTO_BUF struct buf words;
    buf_init(&words, COMMAND_MAX);
    buf_append(&words, SPAN("index\0"));
    if (command->rebuild)
        buf_append(&words, SPAN("--rebuild\0"));
    return hand_over(command, buf_span(&words));
}

int admin_owner_import(struct admin_command *command)
{
    AUTO_BUF struct buf words;
    buf_init(&words, COMMAND_MAX);
    buf_append(&words, SPAN("import\0"));
    if (command->again)
        buf_append(&words, SPAN("--again\0"));
    return hand_over(command, buf_span(&words));
}

int admin_owner_export(struct admin_command *command)
{
    return hand_over(command, SPAN("export\0"));
}
