#include "role/session/imap/imap.h"

/*
 * ACL (RFC 4314). All mailboxes are the account's own: it has every right to each, and nobody else has any. That can be
 * asked, and not be changed.
 */
#define ACL_ALL "lrswipkxteacd" /* c and d, the obsolete ones, for what k, x, t and e allow (RFC 4314 §2.1.1) */

static bool acl_is_owner(const struct run *run, span_t identifier)
{
    return span_equal_nocase(identifier, span_of_text(run->session->address));
}

static bool start(struct run *run, const char *response, int *ret_result)
{
    struct vault_mailbox mailbox;
    if (!run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, ret_result))
        return false;
    buf_append_format(&run->client->out, "* %s ", response);
    run_write_mailbox(run, &run->client->out, run->command->mailbox);
    buf_append_byte(&run->client->out, ' ');
    return true;
}

void acl_write_rights(struct run *run, span_t name)
{
    buf_append_text(&run->client->out, "* MYRIGHTS ");
    run_write_mailbox(run, &run->client->out, name);
    buf_append_text(&run->client->out, " " ACL_ALL "\r\n");
}

/* RFC 4314 §3.3. */
int imap_do_getacl(struct task *task, struct run *run)
{
    (void)task;
    int result = 0;
    if (!start(run, "ACL", &result))
        return result;
    imap_write_astring(&run->client->out, span_of_text(run->session->address));
    buf_append_text(&run->client->out, " " ACL_ALL "\r\n");
    return run_ok(run, "Done");
}

/* RFC 4314 §3.4: what an identifier always has, and what else it could be given: nothing. */
int imap_do_listrights(struct task *task, struct run *run)
{
    (void)task;
    int result = 0;
    if (!start(run, "LISTRIGHTS", &result))
        return result;
    imap_write_astring(&run->client->out, run->command->acl.identifier);
    buf_append_text(&run->client->out, acl_is_owner(run, run->command->acl.identifier) ? " " ACL_ALL : " \"\"");
    buf_append_text(&run->client->out, "\r\n");
    return run_ok(run, "Done");
}

/* RFC 4314 §3.5. */
int imap_do_myrights(struct task *task, struct run *run)
{
    (void)task;
    struct vault_mailbox mailbox;
    int result = 0;
    if (!run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, &result))
        return result;
    acl_write_rights(run, run->command->mailbox);
    return run_ok(run, "Done");
}

/* RFC 4314 §3.1, §3.2. */
int imap_do_setacl(struct task *task, struct run *run)
{
    (void)task;
    struct vault_mailbox mailbox;
    int result = 0;
    if (!run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, &result))
        return result;
    return run_no(run, "[CANNOT] Mailboxes cannot be shared here: rights stay as they are");
}
