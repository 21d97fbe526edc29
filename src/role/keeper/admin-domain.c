#include <string.h>
#include <time.h>

#include "role/keeper/admin-state.h"
#include "role/keeper/domainkeys.h"

static struct directory *directory_of(const struct admin_command *command)
{
    return command->admin->auth->directory;
}

int admin_domain_of(struct admin_command *command, char domain[NAME_DOMAIN_MAX + 1])
{
    int result = name_parse_domain(command->words[0], domain);
    if (result < 0)
        return result;
    if (result == NAME_OK)
        return 1;
    return admin_refuse(command, "%.*s is not a domain name; write it as example.org", SPAN_PRINT(command->words[0]));
}

/* With its keys, or not at all. DIRECTORY_EXISTS where somebody else was faster. */
static int add_with(struct admin_command *command, const char *domain, const struct domainkeys_made *made)
{
    int result = directory_begin(directory_of(command));
    if (result == 0)
        result = directory_domain_add(directory_of(command), domain);
    if (result == DIRECTORY_OK)
        result = domainkeys_rotate(directory_of(command), domain, (uint64_t)time(NULL), made);
    return result == 0 ? directory_commit(directory_of(command)) : result;
}

int admin_domain_add(struct admin_command *command)
{
    char domain[NAME_DOMAIN_MAX + 1];
    struct domainkeys_made made = {0};
    int result = admin_domain_of(command, domain);
    if (result != 1)
        return result;
    result = directory_domain_exists(directory_of(command), domain);
    if (result == DIRECTORY_NONE) {
        result = admin_make_keys(command, &made);
        if (result != 1)
            return result;
        result = add_with(command, domain, &made);
        domainkeys_made_deinit(&made);
    } else if (result == DIRECTORY_OK) {
        result = DIRECTORY_EXISTS;
    }
    return result == DIRECTORY_EXISTS ? admin_refuse(command, "domain %s is here already; nothing to do", domain)
                                      : result;
}

int admin_domain_remove(struct admin_command *command)
{
    char domain[NAME_DOMAIN_MAX + 1];
    int result = admin_domain_of(command, domain);
    if (result != 1)
        return result;
    result = directory_domain_remove(directory_of(command), domain);
    if (result == DIRECTORY_IN_USE)
        return admin_refuse(command, "domain %s still has accounts or addresses; remove those first", domain);
    if (result == DIRECTORY_NONE)
        return admin_refuse(command, "there is no domain %s; see `waxwing domain list`", domain);
    return result;
}

static int domain_row(void *arg, const char *name)
{
    struct admin_command *command = arg;
    admin_list_row(command);
    if (command->json)
        admin_write_json(&command->reply->output, name);
    else
        buf_append_text(&command->reply->output, name);
    return admin_list_row_end(command, &name, 1);
}

int admin_domain_list(struct admin_command *command)
{
    const char *after = NULL;
    admin_list_after(command, &after, 1);
    return admin_list_end(command, directory_domain_each(directory_of(command), after, domain_row, command));
}

/* --- addresses --- */

/* One transaction for all targets: half an alias would be none that was asked for. */
static int targets_add(struct admin_command *command, const struct name *name, const uint64_t *accounts)
{
    int result = directory_begin(directory_of(command));
    for (unsigned at = 1; result == 0 && at < command->count; at++) {
        result = directory_address_add(directory_of(command), name, accounts[at]);
        if (result == DIRECTORY_EXISTS)
            result = DIRECTORY_OK; /* that target stands there already */
    }
    return result == 0 ? directory_commit(directory_of(command)) : result;
}

int admin_address_add(struct admin_command *command)
{
    struct name name;
    struct account account;
    uint64_t accounts[ADMIN_WORDS_MAX];
    int result = admin_name_of(command, command->words[0], &name);
    for (unsigned at = 1; result == 1 && at < command->count; at++) {
        result = admin_account_of(command, command->words[at], &account);
        accounts[at] = account.id;
    }
    if (result != 1)
        return result;
    result = targets_add(command, &name, accounts);
    if (result == DIRECTORY_NO_DOMAIN)
        return admin_refuse(command, "%s is not a domain of this server; first run `waxwing domain add %s`",
                            name.domain, name.domain);
    if (result == DIRECTORY_IN_USE)
        return admin_refuse(command, "%s@%s is an account's own address; choose another one", name.local, name.domain);
    return result;
}

int admin_address_remove(struct admin_command *command)
{
    struct name name;
    int result = admin_name_of(command, command->words[0], &name);
    if (result != 1)
        return result;
    result = directory_address_remove(directory_of(command), &name);
    if (result == DIRECTORY_IN_USE)
        return admin_refuse(command, "%s@%s is an account's own address; it goes with `waxwing account remove`",
                            name.local, name.domain);
    if (result == DIRECTORY_NONE || result == DIRECTORY_NO_DOMAIN)
        return admin_refuse(command, "there is no further address %s@%s; see `waxwing address list`", name.local,
                            name.domain);
    return result;
}

static int address_row(void *arg, const struct directory_address *address)
{
    struct admin_command *command = arg;
    struct buf *output = &command->reply->output;
    const char *const keys[] = {address->domain, address->local, address->account};
    admin_list_row(command);
    if (command->json) {
        buf_append_text(output, "{\"address\":");
        admin_write_json_address(output, address->local, address->domain);
        buf_append_text(output, ",\"target\":");
        admin_write_json(output, address->account);
        buf_append_byte(output, '}');
    } else {
        buf_append_format(output, "%s@%s\t%s", address->local, address->domain, address->account);
    }
    return admin_list_row_end(command, keys, COUNT_OF(keys));
}

int admin_address_list(struct admin_command *command)
{
    const char *keys[3] = {NULL};
    admin_list_after(command, keys, COUNT_OF(keys));
    const struct directory_address after = {.domain = keys[0], .local = keys[1], .account = keys[2]};
    return admin_list_end(command, directory_address_each(directory_of(command), &after, address_row, command));
}
