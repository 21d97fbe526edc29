#include "vault/engine.h"

/*
 * Copy, move and expunge: emails into mailboxes and out of them. Members leave a mailbox by one statement for each
 * stretch of them.
 */
struct filing {
    struct vault *vault;
    const struct engine_walk *walk;
    uint64_t modseq;
    struct engine_counters source;
    struct engine_stretch stretch; /* of those that leave the mailbox */
    /* Copy and move */
    bool moves;
    struct vault_target target;
    uint32_t next; /* UID in the target */
    struct engine_counters arrived;
    vault_copied_fn on_copied;
    /* Expunge */
    enum vault_expunge which;
    vault_uid_fn on_expunged;
    uint64_t first_email; /* ids that follow one another, not yet noted as leaving; 0: none */
    uint64_t last_email;
    void *arg;
};

static int take_out(struct filing *filing, struct vault_range uids)
{
    struct vault *vault = filing->vault;
    int64_t mailbox = (int64_t)filing->walk->mailbox;
    int64_t flags = filing->which == VAULT_EXPUNGE_DELETED && !filing->moves ? (int64_t)VAULT_DELETED : 0;
    int result = engine_run(vault, STATEMENT_EXPUNGED_ADD,
                            NUMBERS(mailbox, uids.first, uids.last, flags, (int64_t)filing->modseq));
    return result == 0 ? engine_run(vault, STATEMENT_MEMBER_DELETE, NUMBERS(mailbox, uids.first, uids.last, flags))
                       : result;
}

static int take_out_last(struct filing *filing)
{
    return filing->stretch.uids.first == 0 ? 0 : take_out(filing, filing->stretch.uids);
}

static int add_to_stretch(struct filing *filing, const struct vault_member *member)
{
    struct vault_range done;
    engine_count(&filing->source, -1, member->flags, member->size);
    filing->source.expunges++;
    return engine_stretch_add(&filing->stretch, member->uid, &done) ? take_out(filing, done) : 0;
}

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
    if (result == 0 && filing->moves)
        result = add_to_stretch(filing, member);
    if (result != 0)
        return result;
    engine_count(&filing->arrived, 1, member->flags, member->size);
    filing->arrived.uids++;
    return filing->on_copied == NULL ? 0 : filing->on_copied(filing->arg, member->uid, uid);
}

static int note_leaving(struct filing *filing)
{
    return filing->first_email == 0 ? 0 : engine_leaving_add(filing->vault, filing->first_email, filing->last_email);
}

static int let_go(struct filing *filing, uint64_t email)
{
    int result = 0;
    if (filing->first_email == 0 || email != filing->last_email + 1) {
        result = note_leaving(filing);
        filing->first_email = email;
    }
    filing->last_email = email;
    return result;
}

static int expunge_one(void *arg, const struct vault_member *member)
{
    struct filing *filing = arg;
    if (filing->which == VAULT_EXPUNGE_DELETED && (member->flags & VAULT_DELETED) == 0)
        return 0;
    int result = add_to_stretch(filing, member);
    if (result == 0)
        result = let_go(filing, member->email);
    if (result == 0 && filing->on_expunged != NULL)
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
        result = engine_counters_put(vault, filing->walk->mailbox, &filing->source, filing->modseq);
    if (result == 0 && filing->source.expunges > 0)
        result = forget_history(vault, filing->walk->mailbox);
    return result;
}

static int file_all(struct filing *filing)
{
    struct engine_brief target;
    int result = engine_mailbox_brief(filing->vault, filing->target.mailbox, &target);
    if (result != 0)
        return result;
    filing->next = target.uidnext;
    result = engine_walk(filing->vault, filing->walk, file_one, filing);
    if (result == 0)
        result = take_out_last(filing);
    return result == 0 ? finish(filing) : result;
}

static int file_step(struct filing *filing)
{
    struct engine_step step;
    int result = engine_step_begin(filing->vault, &step);
    filing->modseq = filing->vault->modseq + 1;
    filing->stretch.walk = filing->walk;
    return result == 0 ? engine_step_end(filing->vault, &step, file_all(filing)) : result;
}

int vault_member_copy(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                      struct vault_target target, vault_copied_fn fn, void *arg)
{
    struct engine_walk walk = {.mailbox = mailbox, .ranges = ranges, .count = count};
    struct filing filing = {.vault = vault, .walk = &walk, .target = target, .on_copied = fn, .arg = arg};
    return file_step(&filing);
}

int vault_member_move(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                      struct vault_target target, vault_copied_fn fn, void *arg)
{
    struct engine_walk walk = {.mailbox = mailbox, .ranges = ranges, .count = count};
    struct filing filing = {
        .vault = vault, .walk = &walk, .moves = true, .target = target, .on_copied = fn, .arg = arg};
    return file_step(&filing);
}

static int expunge_all(struct filing *filing)
{
    int result = engine_walk(filing->vault, filing->walk, expunge_one, filing);
    if (result == 0)
        result = take_out_last(filing);
    if (result == 0)
        result = note_leaving(filing);
    return result == 0 ? finish(filing) : result;
}

int vault_member_expunge(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                         enum vault_expunge which, vault_uid_fn fn, void *arg)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    struct engine_walk walk = {.mailbox = mailbox, .ranges = ranges, .count = count};
    struct filing filing = {.vault = vault,
                            .walk = &walk,
                            .modseq = vault->modseq + 1,
                            .stretch.walk = &walk,
                            .which = which,
                            .on_expunged = fn,
                            .arg = arg};
    return result == 0 ? engine_step_end(vault, &step, expunge_all(&filing)) : result;
}

static int remove_one(void *arg, const struct vault_member *member)
{
    struct filing *filing = arg;
    engine_count(&filing->source, -1, member->flags, member->size);
    return let_go(filing, member->email);
}

int engine_mailbox_empty(struct vault *vault, uint64_t mailbox)
{
    struct vault_range all = VAULT_RANGE_ALL;
    struct engine_walk walk = {.mailbox = mailbox, .ranges = &all, .count = 1};
    struct filing filing = {.vault = vault, .walk = &walk, .modseq = vault->modseq + 1};
    int result = engine_walk(vault, &walk, remove_one, &filing);
    if (result == VAULT_NOT_FOUND)
        return 0; /* only a level in the hierarchy: nothing is in it */
    if (result == 0)
        result = note_leaving(&filing);
    if (result == 0)
        result = engine_run(vault, STATEMENT_MEMBER_DELETE, NUMBERS((int64_t)mailbox, all.first, all.last, 0));
    return result == 0 ? finish(&filing) : result;
}
