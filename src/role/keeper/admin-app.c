#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypto/token.h"
#include "role/keeper/admin-state.h"
#include "role/keeper/credential.h"

static const struct {
    const char *name;
    enum credential_scope scope;
} scopes[] = {
    {"imap", SCOPE_IMAP}, {"smtp", SCOPE_SMTP}, {"pop3", SCOPE_POP3},
    {"jmap", SCOPE_JMAP}, {"dav", SCOPE_DAV},   {"sieve", SCOPE_SIEVE},
};

static struct directory *directory_of(const struct admin_command *command)
{
    return command->admin->auth->directory;
}

/* 0 where a word of the list is none of ours. */
static uint32_t scope_parse(span_t list)
{
    uint32_t all = 0;
    span_t word;
    if (list.at == NULL)
        return SCOPE_ALL;
    while (span_cut(&list, ',', &word)) {
        uint32_t one = 0;
        for (size_t at = 0; at < COUNT_OF(scopes); at++)
            if (span_equal_nocase(span_trim(word), span_of_text(scopes[at].name)))
                one = scopes[at].scope;
        if (one == 0)
            return 0;
        all |= one;
    }
    return all;
}

static void scope_write(struct buf *text, uint32_t scope)
{
    const char *comma = "";
    for (size_t at = 0; at < COUNT_OF(scopes); at++) {
        if ((scope & scopes[at].scope) == 0)
            continue;
        buf_append_format(text, "%s%s", comma, scopes[at].name);
        comma = ",";
    }
}

static int label_is_fit(span_t label)
{
    for (size_t at = 0; at < label.len; at++)
        if (label.at[at] < ' ' || label.at[at] == 0x7f)
            return 0;
    return label.len > 0 && label.len <= CREDENTIAL_LABEL_MAX ? 1 : 0;
}

int admin_app_add(struct admin_command *command)
{
    struct account account;
    struct credential credential = {.created = (uint64_t)time(NULL), .scope = scope_parse(command->scope)};
    span_t password;
    AUTO(secret) struct secret *root = NULL;
    AUTO(secret) struct secret *text = NULL;
    if (label_is_fit(command->label) == 0)
        return admin_misused(command, "--label TEXT is needed: what the password is for, up to %u bytes",
                             CREDENTIAL_LABEL_MAX);
    if (credential.scope == 0)
        return admin_misused(command, "--scope takes a list of imap, smtp, pop3, jmap, dav, sieve");
    int result = admin_account_of(command, command->words[0], &account);
    if (result != 1)
        return result;
    if (!admin_next_line(command, &password))
        return admin_misused(command, "write the password of %s to standard input", account.address);
    result = admin_unlock_root(command, &account, password, &root);
    if (result != 1)
        return result;
    credential.account = account.id;
    memcpy(credential.params.salt, account.scram_salt, sizeof(account.scram_salt));
    memcpy(credential.label, command->label.at, command->label.len);
    result = app_password_new(&text);
    if (result == 0)
        result = credential_make_app(&credential, secret_span(text), root);
    if (result == 0)
        result = directory_credential_add(directory_of(command), &credential);
    if (result == 0)
        buf_append_format(&command->reply->output, "app password: %.*s\n", SPAN_PRINT(secret_span(text)));
    return result;
}

static void app_write_json(struct buf *output, const struct credential *credential)
{
    buf_append_format(output, "{\"id\":%llu,\"label\":", (unsigned long long)credential->id);
    admin_write_json(output, credential->label);
    buf_append_text(output, ",\"scope\":\"");
    scope_write(output, credential->scope);
    buf_append_format(output, "\",\"created\":%llu,\"used\":%llu}", (unsigned long long)credential->created,
                      (unsigned long long)credential->used);
}

static void app_write_text(struct buf *output, const struct credential *credential)
{
    buf_append_format(output, "%llu\t%s\t", (unsigned long long)credential->id, credential->label);
    scope_write(output, credential->scope);
    buf_append_byte(output, '\t');
    admin_write_time(output, credential->created);
    buf_append_byte(output, '\t');
    admin_write_time(output, credential->used);
}

static int app_row(void *arg, const struct credential *credential)
{
    struct admin_command *command = arg;
    char number[24];
    const char *key = number;
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)credential->id);
    admin_list_row(command);
    if (command->json)
        app_write_json(&command->reply->output, credential);
    else
        app_write_text(&command->reply->output, credential);
    return admin_list_row_end(command, &key, 1);
}

int admin_app_list(struct admin_command *command)
{
    struct account account;
    const char *key = NULL;
    uint64_t after = 0;
    int result = admin_account_of(command, command->words[0], &account);
    if (result != 1)
        return result;
    admin_list_after(command, &key, 1);
    if (key[0] != '\0' && (result = span_to_u64(span_of_text(key), INT64_MAX, &after)) != 0)
        return result;
    result = directory_credential_each(directory_of(command), account.id, CREDENTIAL_APP, after, app_row, command);
    return admin_list_end(command, result);
}

int admin_app_remove(struct admin_command *command)
{
    struct account account;
    uint64_t id = 0;
    int result = admin_account_of(command, command->words[0], &account);
    if (result != 1)
        return result;
    if (span_to_u64(command->words[1], INT64_MAX, &id) != 0 || id == 0)
        return admin_misused(command, "%.*s is no ID; see `waxwing app-password list %s`",
                             SPAN_PRINT(command->words[1]), account.address);
    result = directory_credential_remove(directory_of(command), account.id, CREDENTIAL_APP, id);
    if (result == DIRECTORY_NONE)
        return admin_refuse(command, "%s has no app password %llu; see `waxwing app-password list %s`", account.address,
                            (unsigned long long)id, account.address);
    if (result == 0)
        admin_end_session(command, account.id, ADMIN_ENDED);
    return result;
}
