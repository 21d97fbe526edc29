#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/session/pop3/pop3.h"
#include "role/session/takein.h"
#include "vault/mailbox.h"
#include "vault/member.h"

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

/* The UIDs of those that pass, as few ranges as can be. Nobody else's message lies between two that are neighbours in
 * the maildrop: UIDs rise, and what came later is above. *ret_ranges: NULL where there is none. */
static int collect(const struct pop3_maildrop *maildrop, entry_test *test, struct vault_range **ret_ranges,
                   size_t *ret_count)
{
    size_t runs = 0;
    size_t count = 0;
    for (size_t i = 0; i < maildrop->count; i++)
        runs += test(&maildrop->entries[i]) && (i == 0 || !test(&maildrop->entries[i - 1])) ? 1 : 0;
    struct vault_range *ranges = runs > 0 ? mem_new_array(runs, sizeof(*ranges)) : NULL;
    if (runs > 0 && ranges == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < maildrop->count; i++) {
        const struct pop3_entry *entry = &maildrop->entries[i];
        if (!test(entry))
            continue;
        if (i == 0 || !test(entry - 1))
            ranges[count++].first = entry->uid;
        ranges[count - 1].last = entry->uid;
    }
    *ret_ranges = ranges;
    *ret_count = count;
    return 0;
}

static int mark_seen(struct session *session, const struct pop3_maildrop *maildrop, entry_test *test)
{
    AUTO_FREE struct vault_range *ranges = NULL;
    size_t count = 0;
    struct vault_flag_change change = {.mode = VAULT_FLAGS_ADD, .flags = VAULT_SEEN, .unchanged_since = UINT64_MAX};
    int result = collect(maildrop, test, &ranges, &count);
    if (result < 0 || count == 0)
        return result;
    result = vault_member_store(session->vault, VAULT_INBOX, ranges, count, &change);
    return result > 0 ? -ENOENT : result;
}

static int delete_marked(struct session *session, const struct pop3_maildrop *maildrop)
{
    AUTO_FREE struct vault_range *ranges = NULL;
    size_t count = 0;
    int result = collect(maildrop, is_deleted, &ranges, &count);
    if (result < 0 || count == 0)
        return result;
    result = vault_member_expunge(session->vault, VAULT_INBOX, ranges, count, VAULT_EXPUNGE_ALL, NULL, NULL);
    return result > 0 ? -ENOENT : result;
}

static int finish(struct session *session, int result)
{
    if (result == 0)
        result = vault_commit(session->vault);
    if (result < 0)
        vault_rollback(session->vault);
    else
        session_changed(session);
    return result;
}

static bool has_any(const struct pop3_maildrop *maildrop, entry_test *test)
{
    for (size_t i = 0; i < maildrop->count; i++)
        if (test(&maildrop->entries[i]))
            return true;
    return false;
}

int pop3_update(struct session *session, const struct pop3_maildrop *maildrop)
{
    if (maildrop->deleted == 0) {
        pop3_leave(session, maildrop);
        return 0;
    }
    int result = vault_begin(session->vault, VAULT_DURABLE);
    if (result < 0)
        return result;
    result = mark_seen(session, maildrop, is_seen_and_stays);
    if (result == 0)
        result = delete_marked(session, maildrop);
    return finish(session, result);
}

void pop3_leave(struct session *session, const struct pop3_maildrop *maildrop)
{
    if (!has_any(maildrop, is_seen))
        return;
    int result = vault_begin(session->vault, VAULT_RELAXED);
    if (result == 0)
        result = finish(session, mark_seen(session, maildrop, is_seen));
    if (result < 0)
        log_warn("pop3.seen.failed", F_FAULT(result));
}
