#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/session/pop3/pop3.h"
#include "role/session/takein.h"
#include "vault/mailbox.h"
#include "vault/member.h"

#define SLICE 1000U /* messages to a transaction: a hundred thousand take a second and more */

static int add_member(void *arg, const struct vault_member *member)
{
    return pop3_maildrop_add(arg, member->uid, member->size);
}

int pop3_open(struct task *task, struct session *session, struct pop3_maildrop *maildrop)
{
    struct vault_mailbox inbox;
    int result = takein_wait(task, session);
    if (result == 0)
        result = vault_mailbox_get(session->vault, VAULT_INBOX, &inbox);
    if (result != 0)
        return result < 0 ? result : -ENOENT;
    maildrop->uidvalidity = inbox.uidvalidity;
    return vault_member_scan(session->vault, VAULT_INBOX, VAULT_RANGE_ALL, add_member, maildrop);
}

typedef bool entry_test(const struct pop3_entry *entry);

static bool is_deleted(const struct pop3_entry *entry)
{
    return entry->is_deleted;
}

static bool is_seen(const struct pop3_entry *entry)
{
    return entry->is_shown;
}

static bool is_seen_and_stays(const struct pop3_entry *entry)
{
    return entry->is_shown && !entry->is_deleted;
}

/*
 * The UIDs of the next that pass, SLICE at most, as few ranges as can be, in ranges[SLICE]; *at: where to go on. Nobody
 * else's message lies between two that are neighbours in the maildrop: UIDs rise, and what came later is above.
 */
static size_t collect(const struct pop3_maildrop *maildrop, entry_test *test, size_t *at, struct vault_range *ranges)
{
    size_t count = 0;
    bool is_run = false;
    for (size_t taken = 0; *at < maildrop->count && taken < SLICE; (*at)++) {
        const struct pop3_entry *entry = &maildrop->entries[*at];
        bool passes = test(entry);
        if (passes && !is_run)
            ranges[count++].first = entry->uid;
        if (passes)
            ranges[count - 1].last = entry->uid;
        taken += passes ? 1 : 0;
        is_run = passes;
    }
    return count;
}

typedef int act_fn(struct vault *vault, const struct vault_range *ranges, size_t count);

static int mark_seen(struct vault *vault, const struct vault_range *ranges, size_t count)
{
    struct vault_flag_change change = {.mode = VAULT_FLAGS_ADD, .flags = VAULT_SEEN, .unchanged_since = UINT64_MAX};
    return vault_member_store(vault, VAULT_INBOX, ranges, count, &change);
}

static int delete (struct vault *vault, const struct vault_range *ranges, size_t count)
{
    return vault_member_expunge(vault, VAULT_INBOX, ranges, count, VAULT_EXPUNGE_ALL, NULL, NULL);
}

static int act_on(struct session *session, act_fn *act, enum vault_durability durability,
                  const struct vault_range *ranges, size_t count)
{
    int result = vault_begin(session->vault, durability);
    if (result == 0)
        result = act(session->vault, ranges, count);
    if (result == 0)
        result = vault_commit(session->vault);
    if (result == 0)
        session_changed(session);
    else
        vault_rollback(session->vault);
    return result > 0 ? -ENOENT : result;
}

/* The account's other connections are served in between. Where the session is about to end, all is done at once. */
static int act_on_all(struct task *task, struct session *session, const struct pop3_maildrop *maildrop,
                      entry_test *test, act_fn *act, enum vault_durability durability)
{
    AUTO_FREE struct vault_range *ranges = mem_new_array(SLICE, sizeof(*ranges));
    if (ranges == NULL)
        return -ENOMEM;
    size_t at = 0;
    for (;;) {
        size_t count = collect(maildrop, test, &at, ranges);
        int result = count == 0 ? 0 : act_on(session, act, durability, ranges, count);
        if (result < 0 || at == maildrop->count)
            return result;
        (void)!task_yield(task);
    }
}

static void mark(struct task *task, struct session *session, const struct pop3_maildrop *maildrop, entry_test *test)
{
    int result = act_on_all(task, session, maildrop, test, mark_seen, VAULT_RELAXED);
    if (result < 0)
        log_warn("pop3.seen.failed", F_FAULT(result));
}

/* That something could not be marked is no reason to say that it was not deleted (RFC 1939 §6). */
int pop3_update(struct task *task, struct session *session, const struct pop3_maildrop *maildrop)
{
    int result = act_on_all(task, session, maildrop, is_deleted, delete, VAULT_DURABLE);
    mark(task, session, maildrop, is_seen_and_stays);
    return result;
}

void pop3_leave(struct task *task, struct session *session, const struct pop3_maildrop *maildrop)
{
    mark(task, session, maildrop, is_seen);
}
