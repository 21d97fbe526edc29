#include <string.h>
#include <time.h>

#include "role/keeper/admin-state.h"

/* What an account may hold, and what it may send within an hour. */

int admin_size_of(struct admin_command *command, span_t text, uint64_t *ret_size)
{
    static const char units[] = "KMGT";
    span_t digits = text;
    unsigned shift = 0;
    const char *unit = NULL;
    if (text.len > 0 && ascii_is_alpha(text.at[text.len - 1])) {
        unit = strchr(units, ascii_upper(text.at[text.len - 1]));
        digits.len -= unit == NULL ? 0 : 1;
    }
    if (unit != NULL)
        shift = 10U * (unsigned)(unit - units + 1);
    uint64_t number = 0;
    if (span_to_u64(digits, (uint64_t)INT64_MAX >> shift, &number) != 0)
        return admin_misused(command, "%.*s is no size; write it as 500M or 10G", SPAN_PRINT(text));
    *ret_size = number << shift;
    return 1;
}

/* 1, or 0 and it is told. What was not said stays as it is. */
static int limit_of(struct admin_command *command, const char *option, span_t text, uint64_t *limit)
{
    if (text.at == NULL)
        return 1;
    if (span_equal(text, SPAN("default"))) {
        *limit = SPENDING_DEFAULT;
        return 1;
    }
    uint64_t number = 0;
    if (span_to_u64(text, SPENDING_LIMIT_MAX, &number) != 0)
        return admin_misused(command, "%s takes a number up to %u (0: any number) or `default`: what the settings say",
                             option, SPENDING_LIMIT_MAX);
    *limit = number;
    return 1;
}

static void show_limit(struct admin_command *command, const struct account *account, enum spending_kind kind,
                       const char *name)
{
    const struct admin *admin = command->admin;
    const struct spending_limits limits = spending_limits_of(&account->limits, &admin->limits);
    const char *whose = account->limits.per_hour[kind] == SPENDING_DEFAULT ? "as the settings say" : "its own limit";
    struct buf *output = &command->reply->output;
    buf_append_format(output, "%s\t", name);
    if (limits.per_hour[kind] == 0)
        buf_append_text(output, "any number");
    else
        buf_append_format(output, "%llu", (unsigned long long)limits.per_hour[kind]);
    buf_append_format(output, " (%s)", whose);
    if (admin->spending != NULL)
        buf_append_format(output, ", %llu in the last hour",
                          (unsigned long long)spending_used(admin->spending, kind, account->id, (int64_t)time(NULL)));
    buf_append_byte(output, '\n');
}

static int show(struct admin_command *command, const struct account *account)
{
    struct buf *output = &command->reply->output;
    if (account->quota == 0)
        buf_append_text(output, "quota\tnone\n");
    else
        buf_append_format(output, "quota\t%llu bytes\n", (unsigned long long)account->quota);
    show_limit(command, account, SPENDING_RECIPIENTS, "recipients per hour");
    show_limit(command, account, SPENDING_MESSAGES, "messages per hour");
    return 0;
}

int admin_account_limit(struct admin_command *command)
{
    struct account account;
    uint64_t *per_hour = account.limits.per_hour;
    int result = admin_account_of(command, command->words[0], &account);
    if (result != 1)
        return result;
    const uint64_t quota = account.quota;
    if (command->quota.at == NULL && command->recipients_per_hour.at == NULL && command->messages_per_hour.at == NULL)
        return show(command, &account);
    if (command->quota.at != NULL)
        result = admin_size_of(command, command->quota, &account.quota);
    if (result == 1)
        result =
            limit_of(command, "--recipients-per-hour", command->recipients_per_hour, &per_hour[SPENDING_RECIPIENTS]);
    if (result == 1)
        result = limit_of(command, "--messages-per-hour", command->messages_per_hour, &per_hour[SPENDING_MESSAGES]);
    if (result != 1)
        return result;
    result = directory_account_set_limits(command->admin->auth->directory, &account);
    if (result == DIRECTORY_OK && account.quota != quota && command->admin->quota != NULL)
        command->admin->quota(command->admin->arg, account.id, account.quota);
    return result < 0 ? result : 0;
}
