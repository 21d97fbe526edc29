#include "role/session/imap/imap.h"
#include "vault/email.h"

/*
 * QUOTA (RFC 9208). An account that has a quota has one quota root, "", with all mailboxes below it, and STORAGE as its
 * resource. What counts is what mailboxes show: each message, in each mailbox it is in.
 */
#define QUOTA_UNIT 1024U /* RFC 9208 §5.1: STORAGE is in units of 1024 octets */

int run_quota_has_room(struct run *run, uint64_t bytes, bool *ret_has)
{
    uint64_t count = 0;
    uint64_t used = 0;
    uint64_t quota = run->session->quota;
    *ret_has = true;
    if (quota == 0)
        return 0;
    int result = vault_mailbox_usage(run->vault, &count, &used);
    *ret_has = used <= quota && bytes <= quota - used;
    return result;
}

int run_quota_refuse(struct run *run)
{
    return run_no(run, "[OVERQUOTA] The account has no room for that"); /* RFC 9208 §4.3.1 */
}

static int write_quota(struct run *run)
{
    uint64_t count = 0;
    uint64_t used = 0;
    int result = vault_mailbox_usage(run->vault, &count, &used);
    if (result < 0)
        return result;
    return buf_append_format(&run->client->out, "* QUOTA \"\" (STORAGE %llu %llu)\r\n",
                             (unsigned long long)((used + QUOTA_UNIT - 1) / QUOTA_UNIT),
                             (unsigned long long)(run->session->quota / QUOTA_UNIT));
}

static bool has_root(const struct run *run, span_t root)
{
    return run->session->quota > 0 && root.len == 0;
}

int imap_do_getquota(struct task *task, struct run *run)
{
    (void)task;
    if (!has_root(run, run->command->quota.root))
        return run_no(run, "[NONEXISTENT] There is no such quota root");
    int result = write_quota(run);
    return result < 0 ? result : run_ok(run, "Done");
}

/* RFC 9208 §4.1.2: without a quota a mailbox has no root. */
int imap_do_getquotaroot(struct task *task, struct run *run)
{
    (void)task;
    struct vault_mailbox mailbox;
    int result = 0;
    if (!run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", &mailbox, &result))
        return result;
    buf_append_text(&run->client->out, "* QUOTAROOT ");
    run_write_mailbox(run, &run->client->out, run->command->mailbox);
    buf_append_text(&run->client->out, run->session->quota > 0 ? " \"\"\r\n" : "\r\n");
    if (run->session->quota > 0)
        result = write_quota(run);
    return result < 0 ? result : run_ok(run, "Done");
}

/* RFC 9208 §4.1.3. QUOTASET is not announced. */
int imap_do_setquota(struct task *task, struct run *run)
{
    (void)task;
    return run_no(run, "[NOPERM] Only who runs the server sets quotas");
}
