#include <errno.h>
#include <time.h>

#include "role/keeper/admin-state.h"
#include "role/keeper/domainkeys.h"
#include "trust/dkim/sign.h"

#define RECORD_MAX 2048U

static const char *const states[] = {"signs", "waits", "retired"};

static struct directory *directory_of(const struct admin_command *command)
{
    return command->admin->auth->directory;
}

/* 1 and the domain, which is there, or 0 and it is told. */
static int domain_of(struct admin_command *command, char domain[NAME_DOMAIN_MAX + 1])
{
    int result = admin_domain_of(command, domain);
    if (result != 1)
        return result;
    result = directory_domain_exists(directory_of(command), domain);
    if (result == DIRECTORY_NONE)
        return admin_refuse(command, "there is no domain %s; see `waxwing domain list`", domain);
    return result == DIRECTORY_OK ? 1 : result;
}

static int write_key(struct admin_command *command, const char *domain, const struct domainkey *key)
{
    struct buf *output = &command->reply->output;
    AUTO_BUF struct buf record;
    buf_init(&record, RECORD_MAX);
    int result = domainkeys_record(directory_of(command), domain, key->row.selector, &record);
    if (result == 0)
        result = buf_append_byte(&record, 0);
    if (result != 0)
        return result;
    if (command->json) {
        (void)buf_append_format(output, "{\"selector\":\"%s\",\"state\":\"%s\",\"since\":\"", key->row.selector,
                                states[key->state]);
        admin_write_time(output, key->row.since);
        (void)buf_append_format(output, "\",\"record\":\"%s\"}", (const char *)buf_span(&record).at);
        return 0;
    }
    (void)buf_append_format(output, "%s._domainkey.%s\t%s %s ", key->row.selector, domain, states[key->state],
                            key->state == DOMAINKEY_WAITS ? "until" : "since");
    admin_write_time(output, key->row.since);
    return buf_append_format(output, "\t%s", (const char *)buf_span(&record).at);
}

int admin_dkim_list(struct admin_command *command)
{
    struct domainkeys keys;
    char domain[NAME_DOMAIN_MAX + 1];
    int result = domain_of(command, domain);
    if (result != 1)
        return result;
    result = domainkeys_read(directory_of(command), domain, (uint64_t)time(NULL), &keys);
    for (size_t i = 0; result == 0 && i < keys.count; i++) {
        admin_list_row(command);
        result = write_key(command, domain, &keys.keys[i]);
        if (result == 0)
            result = admin_list_row_end(command, (const char *const[]){keys.keys[i].row.selector}, 1);
    }
    return admin_list_end(command, result);
}

int admin_make_keys(struct admin_command *command, struct domainkeys_made *ret_made)
{
    int result = domainkeys_make(command->task, command->admin->auth->hasher, ret_made);
    if (result == -EBUSY)
        return admin_refuse(command, "too many logins are being checked; try again in a moment");
    return result == 0 ? 1 : result;
}

int admin_dkim_rotate(struct admin_command *command)
{
    char domain[NAME_DOMAIN_MAX + 1];
    struct domainkeys_made made = {0};
    int result = domain_of(command, domain);
    if (result == 1)
        result = admin_make_keys(command, &made);
    if (result != 1)
        return result;
    result = directory_begin(directory_of(command));
    if (result == 0)
        result = domainkeys_rotate(directory_of(command), domain, (uint64_t)time(NULL), &made);
    domainkeys_made_deinit(&made);
    if (result == DIRECTORY_NONE)
        return admin_refuse(command, "there is no domain %s any more", domain);
    if (result == DIRECTORY_IN_USE)
        return admin_refuse(command, "new keys of %s wait already to be published; see `waxwing dkim list %s`", domain,
                            domain);
    return result == 0 ? directory_commit(directory_of(command)) : result;
}
