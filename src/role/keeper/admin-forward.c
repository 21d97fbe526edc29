#include <string.h>

#include "role/keeper/admin-state.h"

#define TARGET_LOCAL_MAX 64U /* RFC 5321 §4.5.3.1.1 */

static struct directory *directory_of(const struct admin_command *command)
{
    return command->admin->auth->directory;
}

struct target {
    char text[TARGET_LOCAL_MAX + NAME_DOMAIN_MAX + 2];
};

static bool is_plain(span_t local)
{
    const span_t special = SPAN("\"(),:;<>@[\\]");
    for (size_t at = 0; at < local.len; at++)
        if (!ascii_is_print(local.at[at]) || span_find_byte(special, local.at[at]) < special.len)
            return false;
    return local.len > 0 && local.len <= TARGET_LOCAL_MAX;
}

/* 1 and the address as it is kept: what is before the @ means something to its own server alone, case included; ASCII,
 * since a server in between may take nothing else (RFC 6531 §3.2). */
static int target_parse(struct admin_command *command, span_t word, struct target *ret_target)
{
    size_t at = span_find_last_byte(word, '@');
    char domain[NAME_DOMAIN_MAX + 1];
    span_t local = span_upto(word, at);
    int result = at < word.len && is_plain(local) ? name_parse_domain(span_from(word, at + 1), domain) : NAME_BAD;
    if (result < 0)
        return result;
    if (result != NAME_OK)
        return admin_refuse(command, "%.*s is no address to send mail on to; write it as name@domain, in ASCII",
                            SPAN_PRINT(word));
    memcpy(ret_target->text, local.at, local.len);
    ret_target->text[local.len] = '@';
    memcpy(ret_target->text + local.len + 1, domain, strlen(domain) + 1);
    return 1;
}

static int target_add(struct admin_command *command, const struct name *name, const struct target *target)
{
    const char *domain = strchr(target->text, '@') + 1;
    int result = directory_domain_exists(directory_of(command), domain);
    if (result == DIRECTORY_OK)
        return admin_refuse(command, "%s is a domain of this server; for its accounts use `waxwing address add`",
                            domain);
    if (result == DIRECTORY_NONE)
        result = directory_forward_add(directory_of(command), name, target->text);
    if (result == DIRECTORY_NO_DOMAIN)
        return admin_refuse(command, "%s is not a domain of this server; first run `waxwing domain add %s`",
                            name->domain, name->domain);
    return result < 0 ? result : 1;
}

/* 1 where all targets are in. */
static int targets_add(struct admin_command *command, const struct name *name)
{
    int result = 1;
    for (unsigned at = 1; result == 1 && at < command->count; at++) {
        struct target target;
        result = target_parse(command, command->words[at], &target);
        if (result == 1)
            result = target_add(command, name, &target);
    }
    if (result != 1)
        return result;
    int count = directory_forward_count(directory_of(command), name);
    if (count > (int)FORWARD_TARGETS_MAX)
        return admin_refuse(command, "mail for one address is sent on to %u others at most", FORWARD_TARGETS_MAX);
    return count < 0 ? count : 1;
}

/* One transaction, which is taken back where it does not come to its end: half of what was asked for would be none. */
int admin_forward_add(struct admin_command *command)
{
    struct name name;
    int result = admin_name_of(command, command->words[0], &name);
    if (result != 1)
        return result;
    result = directory_begin(directory_of(command));
    if (result == 0)
        result = targets_add(command, &name);
    return result == 1 ? directory_commit(directory_of(command)) : result;
}

int admin_forward_remove(struct admin_command *command)
{
    struct name name;
    struct target target = {.text = ""};
    int result = admin_name_of(command, command->words[0], &name);
    if (result == 1 && command->count > 1)
        result = target_parse(command, command->words[1], &target);
    if (result != 1)
        return result;
    result = directory_forward_remove(directory_of(command), &name, target.text);
    if (result == DIRECTORY_NONE)
        return admin_refuse(command, "%s@%s is not sent on there; see `waxwing forward list`", name.local, name.domain);
    return result;
}

static int forward_row(void *arg, const struct directory_forward *forward)
{
    struct admin_command *command = arg;
    struct buf *output = &command->reply->output;
    const char *const keys[] = {forward->domain, forward->local, forward->target};
    admin_list_row(command);
    if (command->json) {
        buf_append_text(output, "{\"address\":");
        admin_write_json_address(output, forward->local, forward->domain);
        buf_append_text(output, ",\"target\":");
        admin_write_json(output, forward->target);
        buf_append_byte(output, '}');
    } else {
        buf_append_format(output, "%s@%s\t%s", forward->local, forward->domain, forward->target);
    }
    return admin_list_row_end(command, keys, COUNT_OF(keys));
}

int admin_forward_list(struct admin_command *command)
{
    const char *keys[3] = {NULL};
    admin_list_after(command, keys, COUNT_OF(keys));
    const struct directory_forward after = {.domain = keys[0], .local = keys[1], .target = keys[2]};
    return admin_list_end(command, directory_forward_each(directory_of(command), &after, forward_row, command));
}
