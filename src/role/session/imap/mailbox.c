#include "proto/imap/mailbox.h"
#include "role/session/imap/imap.h"
#include "role/session/notices.h"

static const char *const uses[] = {
    [VAULT_ROLE_DRAFTS] = "\\Drafts", [VAULT_ROLE_SENT] = "\\Sent",       [VAULT_ROLE_JUNK] = "\\Junk",
    [VAULT_ROLE_TRASH] = "\\Trash",   [VAULT_ROLE_ARCHIVE] = "\\Archive", [VAULT_ROLE_FLAGGED] = "\\Flagged",
    [VAULT_ROLE_ALL] = "\\All",
};

const char *imap_use_name(enum vault_role role)
{
    return role < COUNT_OF(uses) ? uses[role] : NULL;
}

enum vault_role imap_use_find(span_t name)
{
    for (size_t i = 0; i < COUNT_OF(uses); i++)
        if (uses[i] != NULL && span_equal_nocase(name, span_of_text(uses[i] + 1)))
            return (enum vault_role)i;
    return VAULT_ROLE_NONE;
}

static span_t parent_of(span_t name)
{
    while (name.len > 0 && name.at[name.len - 1] != IMAP_SEPARATOR)
        name.len--;
    return name.len > 0 ? span_upto(name, name.len - 1) : SPAN_NONE;
}

static void note(struct run *run, enum notice_kind kind, span_t name, span_t old_name)
{
    if (name.len == 0)
        return;
    notices_add(run->session, &(struct notice){.kind = kind, .origin = run->client, .name = name, .other = old_name});
}

/* The levels above a name that are not there yet, up to the one that is, whose children change (RFC 5465 §5.4). */
struct levels {
    span_t names[VAULT_DEPTH_MAX + 1];
    size_t count;
};

static int find_levels(struct run *run, span_t name, struct levels *levels)
{
    int result = VAULT_NOT_FOUND;
    for (span_t above = parent_of(name); result == VAULT_NOT_FOUND && above.len > 0; above = parent_of(above)) {
        struct vault_mailbox mailbox;
        if (levels->count == COUNT_OF(levels->names))
            return 0;
        levels->names[levels->count++] = above;
        result = vault_mailbox_find(run->vault, above, &mailbox);
    }
    return result < 0 ? result : 0;
}

static void note_created(struct run *run, span_t name, const struct levels *levels)
{
    for (size_t i = levels->count; i-- > 0;)
        note(run, NOTICE_NAME, levels->names[i], SPAN_NONE);
    note(run, NOTICE_NAME, name, SPAN_NONE);
}

/* RFC 6154 §3: with a use it must succeed altogether or not at all. */
int imap_do_create(struct task *task, struct run *run)
{
    (void)task;
    span_t use = run->command->create.use;
    enum vault_role role = imap_use_find(use);
    bool can = role != VAULT_ROLE_NONE && role != VAULT_ROLE_ALL && role != VAULT_ROLE_FLAGGED;
    if (use.len > 0 && (!can || run->command->create.many_uses))
        return run_no(run, "[USEATTR] This special use is not supported");
    span_t name = run->command->mailbox;
    if (name.len > 0 && name.at[name.len - 1] == IMAP_SEPARATOR)
        name.len--;
    if (!imap_mailbox_is_valid(name))
        return run_refuse(run, VAULT_NAME_BAD);
    struct levels levels = {.count = 0};
    int result = find_levels(run, name, &levels);
    if (result == 0)
        result = run_begin(run);
    if (result < 0)
        return result;
    uint64_t id = 0;
    bool use_taken = false;
    result = vault_mailbox_create(run->vault, name, session_now_seconds(), &id);
    if (result == 0 && use.len > 0) {
        result = vault_mailbox_set_role(run->vault, id, role);
        use_taken = result == VAULT_EXISTS;
    }
    result = run_end(run, result);
    if (use_taken)
        return run_no(run, "[USEATTR] Another mailbox has this special use");
    if (result != 0)
        return result < 0 ? result : run_refuse(run, result);
    note_created(run, name, &levels);
    buf_clear(&run->reply);
    return buf_append_format(&run->reply, "OK [MAILBOXID (" IMAP_MAILBOX_ID ")] Created",
                             (unsigned long long)id); /* RFC 8474 §4.1 */
}

int imap_do_delete(struct task *task, struct run *run)
{
    (void)task;
    struct vault_mailbox mailbox;
    int result = vault_mailbox_find(run->vault, run->command->mailbox, &mailbox);
    if (result != 0)
        return result < 0 ? result : run_refuse(run, result);
    uint64_t id = mailbox.id;
    result = run_begin(run);
    if (result < 0)
        return result;
    result = run_end(run, vault_mailbox_delete(run->vault, id));
    if (result != 0)
        return result < 0 ? result : run_refuse(run, result);
    note(run, NOTICE_NAME, run->command->mailbox, SPAN_NONE);
    note(run, NOTICE_NAME, parent_of(run->command->mailbox), SPAN_NONE);
    /* Who deletes what he has selected knows that it is gone. */
    if (run->client->view != NULL && run->client->view->mailbox == id)
        client_leave(run->client);
    return run_ok(run, "Deleted");
}

int imap_do_rename(struct task *task, struct run *run)
{
    (void)task;
    span_t to = run->command->rename.name;
    if (!imap_mailbox_is_valid(to))
        return run_refuse(run, VAULT_NAME_BAD);
    int result = run_begin(run);
    if (result < 0)
        return result;
    result = run_end(run, vault_mailbox_rename(run->vault, run->command->mailbox, to, session_now_seconds()));
    if (result != 0)
        return result < 0 ? result : run_refuse(run, result);
    note(run, NOTICE_NAME, to, run->command->mailbox);
    return run_ok(run, "Renamed");
}

int imap_do_subscribe(struct task *task, struct run *run)
{
    (void)task;
    if (!imap_mailbox_is_valid(run->command->mailbox))
        return run_refuse(run, VAULT_NAME_BAD);
    int result = run_begin(run);
    if (result < 0)
        return result;
    result = run_end(run, vault_subscribe(run->vault, run->command->mailbox));
    if (result != 0)
        return result < 0 ? result : run_refuse(run, result);
    note(run, NOTICE_SUBSCRIPTION, run->command->mailbox, SPAN_NONE);
    return run_ok(run, "Subscribed");
}

int imap_do_unsubscribe(struct task *task, struct run *run)
{
    (void)task;
    int result = run_begin(run);
    if (result < 0)
        return result;
    result = run_end(run, vault_unsubscribe(run->vault, run->command->mailbox));
    if (result < 0)
        return result;
    if (result == VAULT_NOT_FOUND)
        return run_no(run, "[NONEXISTENT] Not subscribed");
    note(run, NOTICE_SUBSCRIPTION, run->command->mailbox, SPAN_NONE);
    return run_ok(run, "Unsubscribed");
}
