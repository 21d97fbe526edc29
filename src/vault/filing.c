#include "vault/engine.h"

/* Copy, move and expunge: emails into mailboxes and out of them. */
struct filing {
    struct vault *vault;
    uint64_t mailbox;
    uint64_t modseq;
    struct engine_counters source;
    bool leaves; /* members leave the mailbox */
    /* Copy and move */
    struct vault_target target;
    uint32_t next; /* UID in the target */
    struct engine_counters arrived;
    vault_copied_fn on_copied;
    /* Expunge */
    enum vault_expunge which;
    vault_uid_fn on_expunged;
    void *arg;
    struct vault_range uids; /* those to be taken out together; a first of 0: none */
    uint64_t first_email;
};

static int take_out(struct filing *filing, const struct vault_member *member)
{
    struct vault *vault = filing->vault;
    int result = engine_run(vault, STATEMENT_EXPUNGED_ADD,
                            NUMBERS((int64_t)filing->mailbox, member->uid, (int64_t)filing->modseq));
    if (result == 0)
        result = engine_member_remove(vault, filing->mailbox, member);
    engine_count(&filing->source, -1, member->flags, member->size);
    filing->source.expunges++;
    return result;
}

/* In first, then out, so that the email is never without a mailbox. */
static int file_one(void *arg, const struct vault_member *member)
{
    struct filing *filing = arg;
    if (filing->next == UINT32_MAX)
        return VAULT_LIMIT;
    uint32_t uid = filing->next++;
    int64_t saved = filing->target.saved != 0 ? filing->target.saved : member->saved;
    int result =
        engine_run(filing->vault, STATEMENT_MEMBER_ADD,
                   NUMBERS((int64_t)filing->target.mailbox, uid, (int64_t)member->email, (int64_t)member->flags,
                           (int64_t)filing->modseq, (int64_t)member->size, member->received, saved));
    if (result == 0 && filing->leaves)
        result = take_out(filing, member);
    if (result != 0)
        return result;
    engine_count(&filing->arrived, 1, member->flags, member->size);
    filing->arrived.uids++;
    return filing->on_copied == NULL ? 0 : filing->on_copied(filing->arg, member->uid, uid);
}

static int forget_sorting(struct vault *vault, sqlite3_stmt *forgotten)
{
    int result = engine_next(vault, forgotten);
    while (result == ENGINE_ROW) {
        result = engine_sorting_remove(vault, (uint64_t)sqlite3_column_int64(forgotten, 0));
        if (result == 0)
            result = engine_next(vault, forgotten);
    }
    return result;
}

/* The same as forget() for each of them. */
static int forget_run(struct vault *vault, int64_t first, int64_t last)
{
    int64_t mark = (int64_t)vault->index_mark;
    AUTO_RESET sqlite3_stmt *forgotten = NULL;
    int result = engine_run(vault, STATEMENT_DEPARTED_ADD_RUN, NUMBERS(first, last, mark));
    if (result == 0)
        result = engine_run(vault, STATEMENT_OUTBOX_ADD_RUN, NUMBERS(first, last, mark));
    if (result == 0)
        result = engine_prepare(vault, STATEMENT_EMAIL_FORGET_RUN, NUMBERS(first, last), &forgotten);
    if (result == 0)
        result = forget_sorting(vault, forgotten);
    return result == 0 ? engine_run(vault, STATEMENT_CACHE_FORGET_RUN, NUMBERS(first, last)) : result;
}

/* What follows one another goes by a few statements for all, which takes half the time and less. */
static int expunge_run(struct filing *filing)
{
    struct vault *vault = filing->vault;
    struct vault_range uids = filing->uids;
    int64_t mailbox = (int64_t)filing->mailbox;
    int64_t first = (int64_t)filing->first_email;
    if (uids.first == 0)
        return 0;
    filing->uids.first = 0;
    int result =
        engine_run(vault, STATEMENT_EXPUNGED_ADD_RUN, NUMBERS(mailbox, uids.first, uids.last, (int64_t)filing->modseq));
    if (result == 0)
        result = engine_run(vault, STATEMENT_MEMBER_DELETE_RUN, NUMBERS(mailbox, uids.first, uids.last));
    return result == 0 ? forget_run(vault, first, first + (uids.last - uids.first)) : result;
}

static int expunge_one(void *arg, const struct vault_member *member)
{
    struct filing *filing = arg;
    if (filing->which == VAULT_EXPUNGE_DELETED && (member->flags & VAULT_DELETED) == 0)
        return 0;
    uint64_t next_email = filing->first_email + (filing->uids.last - filing->uids.first) + 1;
    bool goes_on = filing->uids.first != 0 && member->uid == filing->uids.last + 1 && member->email == next_email;
    int result = goes_on ? 0 : expunge_run(filing);
    if (result != 0)
        return result;
    if (!goes_on) {
        filing->uids.first = member->uid;
        filing->first_email = member->email;
    }
    filing->uids.last = member->uid;
    engine_count(&filing->source, -1, member->flags, member->size);
    filing->source.expunges++;
    if (filing->on_expunged != NULL)
        result = filing->on_expunged(filing->arg, member->uid, filing->modseq);
    return result;
}

/* The oldest go, so many at a time that it is seldom done. Those who ask for older ones are told of all there is not.
 */
static int forget_history(struct vault *vault, uint64_t mailbox)
{
    struct engine_brief brief;
    int64_t horizon = 0;
    int result = engine_mailbox_brief(vault, mailbox, &brief);
    if (result != 0 || brief.expunges < VAULT_EXPUNGES_MAX + VAULT_EXPUNGES_SLACK)
        return result;
    result = engine_ask(vault, STATEMENT_EXPUNGED_LIMIT, NUMBERS((int64_t)mailbox, VAULT_EXPUNGES_MAX), &horizon);
    if (result == VAULT_NOT_FOUND)
        return 0;
    if (result == 0)
        result = engine_run(vault, STATEMENT_EXPUNGED_FORGET, NUMBERS((int64_t)mailbox, horizon));
    return result == 0 ? engine_run(vault, STATEMENT_MAILBOX_HORIZON, NUMBERS((int64_t)mailbox, horizon)) : result;
}

static int finish(struct filing *filing)
{
    struct vault *vault = filing->vault;
    int result = 0;
    if (filing->source.total == 0 && filing->arrived.total == 0)
        return 0;
    vault->modseq = filing->modseq;
    if (filing->arrived.total != 0)
        result = engine_counters_put(vault, filing->target.mailbox, &filing->arrived, filing->modseq);
    if (result == 0 && filing->source.total != 0)
        result = engine_counters_put(vault, filing->mailbox, &filing->source, filing->modseq);
    if (result == 0 && filing->source.expunges > 0)
        result = forget_history(vault, filing->mailbox);
    return result;
}

static int file_all(struct filing *filing, const struct engine_walk *walk)
{
    struct engine_brief target;
    int result = engine_mailbox_brief(filing->vault, filing->target.mailbox, &target);
    if (result != 0)
        return result;
    filing->next = target.uidnext;
    result = engine_walk(filing->vault, walk, file_one, filing);
    return result == 0 ? finish(filing) : result;
}

static int file_step(struct filing *filing, const struct vault_range *ranges, size_t count)
{
    struct engine_step step;
    int result = engine_step_begin(filing->vault, &step);
    if (result != 0)
        return result;
    struct engine_walk walk = {.mailbox = filing->mailbox, .ranges = ranges, .count = count};
    return engine_step_end(filing->vault, &step, file_all(filing, &walk));
}

int vault_member_copy(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                      struct vault_target target, vault_copied_fn fn, void *arg)
{
    struct filing filing = {
        .vault = vault, .mailbox = mailbox, .modseq = vault->modseq + 1, .target = target, .on_copied = fn, .arg = arg};
    return file_step(&filing, ranges, count);
}

int vault_member_move(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                      struct vault_target target, vault_copied_fn fn, void *arg)
{
    struct filing filing = {.vault = vault,
                            .mailbox = mailbox,
                            .modseq = vault->modseq + 1,
                            .leaves = true,
                            .target = target,
                            .on_copied = fn,
                            .arg = arg};
    return file_step(&filing, ranges, count);
}

int vault_member_expunge(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                         enum vault_expunge which, vault_uid_fn fn, void *arg)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    struct filing filing = {.vault = vault,
                            .mailbox = mailbox,
                            .modseq = vault->modseq + 1,
                            .leaves = true,
                            .which = which,
                            .on_expunged = fn,
                            .arg = arg};
    struct engine_walk walk = {.mailbox = mailbox, .ranges = ranges, .count = count};
    result = engine_walk(vault, &walk, expunge_one, &filing);
    if (result == 0)
        result = expunge_run(&filing);
    return engine_step_end(vault, &step, result == 0 ? finish(&filing) : result);
}

/*
 * The record goes to the outbox in the same transaction: either both are true after a crash, or neither. One whose
 * words are in the index goes there only when they have been taken out.
 */
static int forget(struct vault *vault, uint64_t email)
{
    bool is_indexed = email <= vault->index_mark;
    int64_t record = 0;
    int result = is_indexed ? engine_run(vault, STATEMENT_DEPARTED_ADD, NUMBERS((int64_t)email)) : 0;
    if (result == 0)
        result = engine_ask(vault, STATEMENT_EMAIL_FORGET, NUMBERS((int64_t)email), &record);
    if (result == VAULT_NOT_FOUND)
        return 0;
    if (result == 0)
        result = engine_run(vault, STATEMENT_CACHE_DELETE, NUMBERS((int64_t)email));
    if (result == 0)
        result = engine_sorting_remove(vault, email);
    return result == 0 && !is_indexed ? engine_run(vault, STATEMENT_OUTBOX_ADD, NUMBERS(record)) : result;
}

int engine_member_remove(struct vault *vault, uint64_t mailbox, const struct vault_member *member)
{
    int result = engine_run(vault, STATEMENT_MEMBER_DELETE, NUMBERS((int64_t)mailbox, member->uid));
    return result == 0 ? forget(vault, member->email) : result;
}

static int remove_one(void *arg, const struct vault_member *member)
{
    struct filing *filing = arg;
    engine_count(&filing->source, -1, member->flags, member->size);
    return engine_member_remove(filing->vault, filing->mailbox, member);
}

int engine_mailbox_empty(struct vault *vault, uint64_t mailbox)
{
    struct filing filing = {.vault = vault, .mailbox = mailbox, .modseq = vault->modseq + 1};
    struct vault_range all = VAULT_RANGE_ALL;
    struct engine_walk walk = {.mailbox = mailbox, .ranges = &all, .count = 1};
    int result = engine_walk(vault, &walk, remove_one, &filing);
    if (result == VAULT_NOT_FOUND)
        return 0; /* only a level in the hierarchy: nothing is in it */
    return result == 0 ? finish(&filing) : result;
}
