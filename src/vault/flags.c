#include "vault/engine.h"

/* A change of flags on its way through a mailbox. */
struct storing {
    struct vault *vault;
    uint64_t mailbox;
    uint64_t modseq; /* of all that change */
    const struct vault_flag_change *change;
    struct engine_counters counters;
    bool changed;
};

static uint64_t new_flags(const struct vault_flag_change *change, uint64_t flags)
{
    switch (change->mode) {
    case VAULT_FLAGS_ADD:
        return flags | change->flags;
    case VAULT_FLAGS_REMOVE:
        return flags & ~change->flags;
    case VAULT_FLAGS_REPLACE:
    default:
        return change->flags;
    }
}

static int store_one(void *arg, const struct vault_member *member)
{
    struct storing *storing = arg;
    const struct vault_flag_change *change = storing->change;
    if (member->modseq > change->unchanged_since)
        return change->on_refused == NULL ? 0 : change->on_refused(change->arg, member);
    struct vault_member now = *member;
    now.flags = new_flags(change, member->flags);
    if (now.flags != member->flags) {
        now.modseq = storing->modseq;
        int result = engine_run(storing->vault, STATEMENT_MEMBER_FLAGS,
                                NUMBERS((int64_t)storing->mailbox, now.uid, (int64_t)now.flags, (int64_t)now.modseq));
        if (result != 0)
            return result;
        engine_count(&storing->counters, -1, member->flags, member->size);
        engine_count(&storing->counters, 1, now.flags, now.size);
        storing->changed = true;
    }
    return change->on_done == NULL ? 0 : change->on_done(change->arg, &now);
}

static int store(struct storing *storing, const struct engine_walk *walk)
{
    int result = engine_walk(storing->vault, walk, store_one, storing);
    if (result != 0 || !storing->changed)
        return result;
    storing->vault->modseq = storing->modseq;
    return engine_counters_put(storing->vault, storing->mailbox, &storing->counters, storing->modseq);
}

int vault_member_store(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                       const struct vault_flag_change *change)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    struct storing storing = {.vault = vault, .mailbox = mailbox, .modseq = vault->modseq + 1, .change = change};
    struct engine_walk walk = {.mailbox = mailbox, .ranges = ranges, .count = count};
    return engine_step_end(vault, &step, store(&storing, &walk));
}
