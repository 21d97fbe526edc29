#include "role/keeper/admin.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/token.h"
#include "role/keeper/admin-state.h"
#include "role/keeper/credential.h"
#include "role/keeper/passphrase.h"

/* What an option puts where. */
enum option {
    OPTION_JSON = 1,
    OPTION_PASSWORD_STDIN = 2,
    OPTION_QUOTA = 4,
    OPTION_RECOVERY = 8,
    OPTION_LABEL = 16,
    OPTION_SCOPE = 32,
    OPTION_QUICK = 64,
    OPTION_REPAIR = 128,
    OPTION_REBUILD = 256,
    OPTION_AGAIN = 512,
    OPTION_DAYS = 1024,
    OPTION_RECIPIENTS = 2048,
    OPTION_MESSAGES = 4096,
};

static const struct {
    const char *first;
    const char *second; /* empty: the command is one word */
    unsigned least;
    unsigned most;
    unsigned options;
    admin_function *run;
    const char *usage;
} commands[] = {
    {"domain", "add", 1, 1, 0, admin_domain_add, "domain add DOMAIN"},
    {"domain", "list", 0, 0, OPTION_JSON, admin_domain_list, "domain list [--json]"},
    {"domain", "remove", 1, 1, 0, admin_domain_remove, "domain remove DOMAIN"},
    {"dkim", "list", 1, 1, OPTION_JSON, admin_dkim_list, "dkim list DOMAIN [--json]"},
    {"dkim", "rotate", 1, 1, 0, admin_dkim_rotate, "dkim rotate DOMAIN"},
    {"account", "add", 1, 1, OPTION_PASSWORD_STDIN | OPTION_QUOTA, admin_account_add,
     "account add ADDRESS [--password-stdin] [--quota SIZE]"},
    {"account", "list", 0, 0, OPTION_JSON, admin_account_list, "account list [--json]"},
    {"account", "remove", 1, 1, 0, admin_account_remove, "account remove ADDRESS"},
    {"account", "lock", 1, 1, 0, admin_account_lock, "account lock ADDRESS"},
    {"account", "unlock", 1, 1, 0, admin_account_unlock, "account unlock ADDRESS"},
    {"account", "passwd", 1, 1, OPTION_RECOVERY | OPTION_PASSWORD_STDIN, admin_account_passwd,
     "account passwd ADDRESS [--recovery CODE]"},
    {"account", "limit", 1, 1, OPTION_QUOTA | OPTION_RECIPIENTS | OPTION_MESSAGES, admin_account_limit,
     "account limit ADDRESS [--quota SIZE] [--recipients-per-hour N|default] [--messages-per-hour N|default]"},
    {"app-password", "add", 1, 1, OPTION_LABEL | OPTION_SCOPE | OPTION_PASSWORD_STDIN, admin_app_add,
     "app-password add ADDRESS --label TEXT [--scope imap,smtp,pop3,jmap,dav,sieve]"},
    {"app-password", "list", 1, 1, OPTION_JSON, admin_app_list, "app-password list ADDRESS [--json]"},
    {"app-password", "remove", 2, 2, 0, admin_app_remove, "app-password remove ADDRESS ID"},
    {"address", "add", 2, ADMIN_WORDS_MAX, 0, admin_address_add, "address add ADDRESS TARGET..."},
    {"address", "list", 0, 0, OPTION_JSON, admin_address_list, "address list [--json]"},
    {"address", "remove", 1, 1, 0, admin_address_remove, "address remove ADDRESS"},
    {"forward", "add", 2, ADMIN_WORDS_MAX, 0, admin_forward_add, "forward add ADDRESS TARGET..."},
    {"forward", "list", 0, 0, OPTION_JSON, admin_forward_list, "forward list [--json]"},
    {"forward", "remove", 1, 2, 0, admin_forward_remove, "forward remove ADDRESS [TARGET]"},
    {"reports", "", 0, 1, OPTION_JSON | OPTION_DAYS, admin_reports, "reports [DOMAIN] [--days N] [--json]"},
    {"check", "", 1, 1, OPTION_QUICK | OPTION_REPAIR | OPTION_JSON | OPTION_PASSWORD_STDIN, admin_owner_check,
     "check ADDRESS [--quick] [--repair] [--json] [--password-stdin]"},
    {"index", "", 1, 1, OPTION_REBUILD | OPTION_PASSWORD_STDIN, admin_owner_index,
     "index ADDRESS [--rebuild] [--password-stdin]"},
    {"import", "", 1, 1, OPTION_AGAIN, admin_owner_import, "import ADDRESS mbox|maildir|eml|imap SOURCE"},
    {"export", "", 1, 1, 0, admin_owner_export, "export ADDRESS mbox|maildir|eml TARGET"},
};

void admin_reply_init(struct admin_reply *reply)
{
    reply->status = ADMIN_DONE;
    buf_init(&reply->output, ADMIN_OUTPUT_MAX);
    buf_init(&reply->error, ADMIN_ERROR_MAX);
    buf_init(&reply->next, ADMIN_NEXT_MAX);
    reply->fd = -1;
}

void admin_reply_deinit(struct admin_reply *reply)
{
    if (reply->output.bytes != NULL)
        secret_wipe(reply->output.bytes, reply->output.end);
    buf_deinit(&reply->output);
    buf_deinit(&reply->error);
    buf_deinit(&reply->next);
    scope_close(&reply->fd);
    reply->fd = -1;
}

PRINTF_LIKE(3, 0)
static void tell(struct admin_command *command, enum admin_status status, const char *format, va_list arguments)
{
    command->reply->status = status;
    buf_clear(&command->reply->output);
    buf_clear(&command->reply->error);
    buf_clear(&command->reply->next);
    buf_append_vformat(&command->reply->error, format, arguments);
}

void admin_end_session(struct admin_command *command, uint64_t account, enum admin_gone how)
{
    if (command->admin->gone != NULL)
        command->admin->gone(command->admin->arg, account, how);
}

int admin_refuse(struct admin_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(command, ADMIN_FAILED, format, arguments);
    va_end(arguments);
    return 0;
}

int admin_misused(struct admin_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(command, ADMIN_USAGE, format, arguments);
    va_end(arguments);
    return 0;
}

bool admin_next_line(struct admin_command *command, span_t *ret_line)
{
    span_t line;
    if (!span_cut(&command->input, '\n', &line))
        return false;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    *ret_line = line;
    return line.len > 0;
}

int admin_name_of(struct admin_command *command, span_t address, struct name *ret_name)
{
    int result = name_parse_pattern(address, ret_name);
    if (result < 0)
        return result;
    if (result == NAME_OK)
        return 1;
    return admin_refuse(command, "%.*s is not an address; write it as name@domain", SPAN_PRINT(address));
}

int admin_account_of(struct admin_command *command, span_t address, struct account *ret_account)
{
    struct name name;
    int result = admin_name_of(command, address, &name);
    if (result != 1)
        return result;
    result = directory_account_find(command->admin->auth->directory, &name, ret_account);
    if (result < 0)
        return result;
    if (result == DIRECTORY_OK)
        return 1;
    return admin_refuse(command, "there is no account %.*s; see `waxwing account list`", SPAN_PRINT(address));
}

int admin_unlock_root(struct admin_command *command, const struct account *account, span_t password,
                      struct secret **ret_root)
{
    int result = auth_chosen_password(command->task, command->admin->auth, account, password, ret_root);
    if (result < 0)
        return result;
    if (result == LOGIN_OK)
        return 1;
    if (result == LOGIN_DENIED)
        return admin_refuse(command,
                            "that is not the password of %s; try again, or use --recovery CODE with `account passwd`",
                            account->address);
    return admin_refuse(command, "too many logins are being checked; try again in a moment");
}

int admin_make_password(struct admin_command *command, uint64_t account, span_t password, struct secret **ret_hash,
                        struct credential *ret_credential)
{
    if (password.len < 8 || password.len > PASSWORD_MAX)
        return admin_refuse(command, "the new password is too short or too long; it needs 8 to %u bytes", PASSWORD_MAX);
    struct credential credential = {.account = account, .created = (uint64_t)time(NULL)};
    credential.params = command->admin->auth->defaults;
    random_bytes(credential.params.salt, sizeof(credential.params.salt));
    AUTO(secret) struct secret *prepared = NULL;
    int result = passphrase_prepare(password, &prepared);
    if (result == 0)
        result = hasher_run(command->task, command->admin->auth->hasher, &credential.params, secret_span(prepared),
                            ret_hash);
    if (result == -EBUSY)
        return admin_refuse(command, "too many logins are being checked; try again in a moment");
    if (result != 0)
        return result;
    *ret_credential = credential;
    return 1;
}

int admin_make_recovery(const struct account *account, const struct secret *root, struct credential *ret_credential,
                        struct secret **ret_text)
{
    struct credential credential = {.account = account->id, .created = (uint64_t)time(NULL)};
    AUTO(secret) struct secret *code = NULL;
    memcpy(credential.params.salt, account->scram_salt, sizeof(account->scram_salt));
    int result = recovery_code_new(&code);
    if (result == 0)
        result = credential_make_recovery(&credential, code, root);
    if (result == 0)
        result = recovery_code_write(code, ret_text);
    if (result == 0)
        *ret_credential = credential;
    return result;
}

void admin_write_time(struct buf *text, uint64_t seconds)
{
    struct tm parts;
    char line[32];
    time_t moment = (time_t)seconds;
    if (seconds == 0 || gmtime_r(&moment, &parts) == NULL)
        buf_append_text(text, "never");
    else if (strftime(line, sizeof(line), "%Y-%m-%d %H:%M", &parts) > 0)
        buf_append_text(text, line);
}

static void write_escaped(struct buf *text, const char *string)
{
    for (const char *at = string; *at != '\0'; at++) {
        uint8_t byte = (uint8_t)*at;
        if (byte < 0x20 || byte == '"' || byte == '\\')
            buf_append_format(text, "\\u%04x", byte);
        else
            buf_append_byte(text, byte);
    }
}

void admin_write_json(struct buf *text, const char *string)
{
    buf_append_byte(text, '"');
    write_escaped(text, string);
    buf_append_byte(text, '"');
}

void admin_write_json_address(struct buf *text, const char *local, const char *domain)
{
    buf_append_byte(text, '"');
    write_escaped(text, local);
    buf_append_byte(text, '@');
    write_escaped(text, domain);
    buf_append_byte(text, '"');
}

/* --- taking the words apart --- */

static const struct {
    const char *name;
    enum option option;
    bool has_value;
} options[] = {
    {"--json", OPTION_JSON, false},
    {"--password-stdin", OPTION_PASSWORD_STDIN, false},
    {"--quota", OPTION_QUOTA, true},
    {"--recovery", OPTION_RECOVERY, true},
    {"--label", OPTION_LABEL, true},
    {"--scope", OPTION_SCOPE, true},
    {"--quick", OPTION_QUICK, false},
    {"--repair", OPTION_REPAIR, false},
    {"--rebuild", OPTION_REBUILD, false},
    {"--again", OPTION_AGAIN, false},
    {"--days", OPTION_DAYS, true},
    {"--recipients-per-hour", OPTION_RECIPIENTS, true},
    {"--messages-per-hour", OPTION_MESSAGES, true},
};

static void option_set(struct admin_command *command, enum option option, span_t value)
{
    if (option == OPTION_JSON)
        command->json = true;
    else if (option == OPTION_QUICK)
        command->quick = true;
    else if (option == OPTION_REPAIR)
        command->repair = true;
    else if (option == OPTION_REBUILD)
        command->rebuild = true;
    else if (option == OPTION_AGAIN)
        command->again = true;
    else if (option == OPTION_QUOTA)
        command->quota = value;
    else if (option == OPTION_RECIPIENTS)
        command->recipients_per_hour = value;
    else if (option == OPTION_MESSAGES)
        command->messages_per_hour = value;
    else if (option == OPTION_LABEL)
        command->label = value;
    else if (option == OPTION_SCOPE)
        command->scope = value;
    else if (option == OPTION_DAYS)
        command->days = value;
    else if (option == OPTION_RECOVERY) {
        command->by_recovery = true;
        command->recovery = value;
    }
}

static size_t option_find(span_t word)
{
    size_t at = 0;
    while (at < COUNT_OF(options) && !span_equal(word, span_of_text(options[at].name)))
        at++;
    return at;
}

/* 1, or 0 and it is told. A --recovery without a code means that it comes on standard input. */
static int words_sort(struct admin_command *command, size_t row, span_t rest)
{
    span_t word;
    while (span_cut(&rest, 0, &word)) {
        if (word.len == 0 && rest.at == NULL)
            break; /* the words may end in a NUL */
        if (!span_starts(word, SPAN("--"))) {
            if (command->count >= ADMIN_WORDS_MAX)
                return admin_misused(command, "too many words; usage: waxwing %s", commands[row].usage);
            command->words[command->count++] = word;
            continue;
        }
        size_t at = option_find(word);
        if (at == COUNT_OF(options) || (commands[row].options & options[at].option) == 0)
            return admin_misused(command, "unknown option %.*s; usage: waxwing %s", SPAN_PRINT(word),
                                 commands[row].usage);
        span_t value = SPAN_NONE;
        bool given = !options[at].has_value || (span_cut(&rest, 0, &value) && value.len > 0);
        if (!given && options[at].option != OPTION_RECOVERY)
            return admin_misused(command, "%s needs a value; usage: waxwing %s", options[at].name, commands[row].usage);
        option_set(command, options[at].option, value);
    }
    if (command->count < commands[row].least || command->count > commands[row].most)
        return admin_misused(command, "usage: waxwing %s", commands[row].usage);
    return 1;
}

static size_t row_find(span_t first, span_t second)
{
    size_t row = 0;
    while (row < COUNT_OF(commands) &&
           (!span_equal(first, span_of_text(commands[row].first)) ||
            (commands[row].second[0] != '\0' && !span_equal(second, span_of_text(commands[row].second)))))
        row++;
    return row;
}

static const char *fault_text(int fault)
{
    if (fault == -ENOSPC)
        return "the disk is full; make room and try again";
    if (fault == -ENOBUFS || fault == -EMSGSIZE)
        return "the answer is too long to be shown";
    if (fault == -EBADMSG)
        return "what it needs is damaged on the disk; see `waxwing status`, and the log";
    return strerror(-fault);
}

void admin_run(struct task *task, const struct admin *admin, span_t words, span_t input, struct admin_reply *reply)
{
    /* Off the task's stack, which is small. */
    AUTO_FREE struct admin_command *command = mem_new(sizeof(*command));
    if (command == NULL) {
        reply->status = ADMIN_FAILED;
        buf_append_text(&reply->error, fault_text(-ENOMEM));
        return;
    }
    *command = (struct admin_command){.admin = admin, .task = task, .reply = reply, .input = input};
    span_t first = SPAN_NONE;
    span_t second = SPAN_NONE;
    (void)span_cut(&words, 0, &first);
    span_t behind_first = words;
    (void)span_cut(&words, 0, &second);
    size_t row = row_find(first, second);
    if (row == COUNT_OF(commands)) {
        admin_misused(command, "there is no command `%.*s %.*s`; see `waxwing help`", SPAN_PRINT(first),
                      SPAN_PRINT(second));
        return;
    }
    if (words_sort(command, row, commands[row].second[0] == '\0' ? behind_first : words) != 1)
        return;
    int result = commands[row].run(command);
    directory_rollback(admin->auth->directory); /* whatever a fault left open */
    if (result == 0)
        result = buf_fault(&reply->output);
    if (result != 0) {
        log_error("keeper.admin.failed", F_FAULT(result));
        admin_refuse(command, "%s%s%s failed: %s", commands[row].first, commands[row].second[0] == '\0' ? "" : " ",
                     commands[row].second, fault_text(result));
    }
}
